"""`gemwatch version`."""

import typer


def version() -> None:
    """Show the version."""
    from gemwatch import __version__

    typer.echo(f"gemwatch {__version__}")
