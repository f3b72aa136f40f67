"""`gemwatch check`: everything that `run` would read, and with `--online` everything that it would reach."""

import asyncio
import os
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli import credentials, streams
from gemwatch.cli.common import FAILED, MISUSED, Config, config_path, fail, say_access, say_problems, secrets_of

if TYPE_CHECKING:
    from gemwatch.core.settings import Settings

Online = Annotated[bool, typer.Option("--online", help="Also fetch a token and poll the API once.")]


def check(context: typer.Context, config: Config = None, *, online: Online = False) -> None:
    """Check the configuration and report every mistake.

    It is read as `run` reads it. Exit codes: 0 no mistake, 1 login or API failed (--online), 2 mistakes.
    """
    from gemwatch.adapters.config.file import load
    from gemwatch.adapters.notify.urls import url_advice, url_problem

    path = config_path(context, config)
    loaded = load(path, os.environ, url_problem=url_problem)
    problems, units = credentials.parted(loaded.problems)
    say_problems(problems)
    settings = loaded.settings
    for unit in units:
        streams.complain(f"{credentials.missing(unit)}\n  {credentials.command(unit)}")
    if settings is None:
        if not problems:
            fail(f"{path}: no mistake was found in what can be checked now")
        typer.echo(f"{path}: refused, {_counted(len(problems), 'mistake')}", err=True)
        say_access(path)
        raise typer.Exit(MISUSED)
    for target in settings.targets:
        advice = url_advice(target.url)
        if advice is not None:
            typer.echo(f"{path}: notify.{target.name}: {advice}", err=True)
    if not settings.targets:
        typer.echo(f"{path}: notify: no target is named, so nobody is told of anything", err=True)
    if loaded.problems:
        aside = _counted(len(loaded.problems), "mistake")
        typer.echo(f"{path}: {aside} in the watch list: those entries are set aside, the rest is watched", err=True)
        raise typer.Exit(MISUSED)
    watches, targets = _counted(len(settings.watches), "watch", "es"), _counted(len(settings.targets), "target")
    typer.echo(f"{path}: in order: {watches}, {targets}")
    if online and not asyncio.run(_reaches(settings)):
        raise typer.Exit(FAILED)


async def _reaches(settings: "Settings") -> bool:
    """Fetch a token and ask about one job, as the daemon would; whether both worked."""
    from gemwatch.app.system_clock import SystemClock
    from gemwatch.cli.api_check import ask_once, token_of
    from gemwatch.cli.token import until
    from gemwatch.core.login import LoginError

    clock = SystemClock()
    token = await token_of(settings, clock, secrets_of(settings))
    if isinstance(token, LoginError):
        typer.echo(f"login: {token}", err=True)
        return False
    typer.echo(f"login: a token was had, {until(token, clock.now())}")
    answer = await ask_once(settings, clock, token)
    typer.echo(f"api: {answer.words}", err=not answer.good)
    return answer.good


def _counted(number: int, word: str, plural: str = "s") -> str:
    return f"{number} {word}{'' if number == 1 else plural}"
