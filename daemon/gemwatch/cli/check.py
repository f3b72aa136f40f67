"""`gemwatch check`: everything that `run` would read, and with `--online` everything that it would reach."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli import credentials
from gemwatch.cli.common import FAILED, MISUSED, Config, config_path, fail, say_access, say_problems
from gemwatch.cli.output import streams

if TYPE_CHECKING:
    from gemwatch.core.settings import Settings

Online = Annotated[bool, typer.Option("--online", help="Also fetch a token and poll the API once.")]


def check(context: typer.Context, config: Config = None, *, online: Online = False) -> None:
    """Check the configuration and report every mistake.

    It is read as `run` reads it. Exit codes: 0 no mistake, 1 login or API failed (--online), 2 mistakes.
    """
    from gemwatch.adapters.config.file import load
    from gemwatch.adapters.notify.urls import url_advice, url_problem
    from gemwatch.core.text.formatting import counted

    path = config_path(context, config)
    loaded = load(path, os.environ, url_problem=url_problem)
    problems, units = credentials.parted(loaded.problems)
    say_problems((*problems, *loaded.warnings))
    settings = loaded.settings
    mistakes = counted(len(problems), "mistake", "mistakes")
    for unit in units:
        streams.complain(f"{credentials.missing(unit)}\n  {credentials.command(unit)}")
    if settings is None:
        if not problems:
            fail(f"{path}: no mistake was found in what can be checked now")
        typer.echo(f"{path}: refused ({mistakes})", err=True)
        say_access(path)
        raise typer.Exit(MISUSED)
    for target in settings.targets:
        advice = url_advice(target.url)
        if advice is not None:
            typer.echo(f"{path}: notify.{target.name}: {advice}", err=True)
    if not settings.targets:
        typer.echo(f"{path}: notify has no target, so gemwatch sends no messages", err=True)
    if loaded.problems:
        typer.echo(
            f"{path}: {mistakes} in the watch list. Those entries are skipped, the others are watched.", err=True
        )
        raise typer.Exit(MISUSED)
    watches = counted(len(settings.watches), "watch", "watches")
    targets = counted(len(settings.targets), "target", "targets")
    warnings = f", {counted(len(loaded.warnings), 'warning', 'warnings')}" if loaded.warnings else ""
    typer.echo(f"{path}: OK ({watches}, {targets}){warnings}")
    if online and not asyncio.run(_reaches(settings)):
        raise typer.Exit(FAILED)


async def _reaches(settings: "Settings") -> bool:
    """Fetch a token and poll one job, as the daemon would. Whether both worked."""
    from gemwatch.app.system_clock import SystemClock
    from gemwatch.cli.doctor.api_check import ask_once, token_of
    from gemwatch.cli.token import until
    from gemwatch.core.login import LoginError
    from gemwatch.core.secrets import Secrets

    clock = SystemClock()
    token = await token_of(settings, clock, Secrets.of(settings))
    if isinstance(token, LoginError):
        typer.echo(f"login: {token}", err=True)
        return False
    typer.echo(f"login: got a token, {until(token, clock.now())}")
    answer = await ask_once(settings, clock, token)
    typer.echo(f"api: {answer.words}", err=not answer.good)
    return answer.good
