"""`gemwatch version`."""

import typer


def version() -> None:
    """Say which version this is."""
    from gemwatch import __version__

    typer.echo(f"gemwatch {__version__}")
