"""The command line: one command per file, each of which imports what it needs when it is called."""

import sys


def main() -> None:
    """The entry point of the `gemwatch` script."""
    from gemwatch.cli.output import streams

    streams.prepare()
    sys.exit(streams.guarded(_run))


def _run() -> None:
    from gemwatch.cli import healthcheck

    if (options := healthcheck.plain_options(sys.argv[1:])) is not None:
        sys.exit(
            healthcheck.examine(options)
        )  # several times a minute in a container: without the command line below
    from gemwatch.cli.commands import app

    app(prog_name="gemwatch")
