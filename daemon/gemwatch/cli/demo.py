"""`gemwatch demo`: the real daemon at work on a simulated GEM API."""

import asyncio
from typing import Annotated

import typer

from gemwatch.cli.common import FAILED

KeepRunning = Annotated[
    bool, typer.Option("--keep-running", help="Keep the daemon and its page running until Ctrl-C.")
]


def demo(*, keep_running: KeepRunning = False) -> None:
    """Run the real daemon on a simulated GEM API.

    It takes less than a minute and needs no account: API, login and inboxes are simulated on this machine.
    """
    from gemwatch.cli.access import program
    from gemwatch.demo.play import play

    if not asyncio.run(play(keep_running=keep_running, program=program())):
        raise typer.Exit(FAILED)
