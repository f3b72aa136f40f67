"""`gemwatch check`: everything that `run` would read, and with `--online` everything that it would reach."""

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli import credentials
from gemwatch.cli.common import (
    FAILED,
    MISUSED,
    Config,
    Json,
    config_path,
    fail,
    print_json,
    report_access,
    report_problems,
)
from gemwatch.cli.discovery.rules import matching
from gemwatch.cli.output import streams
from gemwatch.cli.token import until
from gemwatch.core.text.formatting import counted

if TYPE_CHECKING:
    from pathlib import Path

    from gemwatch.adapters.config.file import LoadedFile
    from gemwatch.core.settings import Settings

Online = Annotated[bool, typer.Option("--online", help="Also fetch a token and poll the API once.")]


def check(context: typer.Context, config: Config = None, *, online: Online = False, as_json: Json = False) -> None:
    """Check the configuration and report every mistake.

    It is read as `run` reads it. Exit codes: 0 no mistake, 1 login or API failed (--online), 2 mistakes. The JSON
    form has mistakes and warnings with their places; --online then reports on standard error.
    """
    from gemwatch.adapters.config.file import load
    from gemwatch.adapters.notify.urls import url_problem

    path = config_path(context, config)
    loaded = load(path, os.environ, url_problem=url_problem)
    if as_json:
        _print_json(path, loaded)
        if loaded.settings is None or loaded.problems:
            raise typer.Exit(MISUSED)
    else:
        _print_words(path, loaded)
    if online and loaded.settings is not None and not asyncio.run(_reaches(loaded.settings, on_stderr=as_json)):
        raise typer.Exit(FAILED)


def _print_words(path: "Path", loaded: "LoadedFile") -> None:
    """What was found, in words. Mistakes end the command with code 2."""
    from gemwatch.adapters.notify.urls import url_advice

    problems, units = credentials.parted(loaded.problems)
    report_problems((*problems, *loaded.warnings))
    settings = loaded.settings
    mistakes = counted(len(problems), "mistake", "mistakes")
    for unit in units:
        streams.complain(f"{credentials.missing(unit)}\n  {credentials.command(unit)}")
    if settings is None:
        if not problems:
            fail(f"{path}: no mistake was found in what can be checked now")
        typer.echo(f"{path}: refused ({mistakes})", err=True)
        report_access(path)
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


def _print_json(path: "Path", loaded: "LoadedFile") -> None:
    print_json(
        {
            "file": str(path),
            "valid": loaded.settings is not None and not loaded.problems,
            "problems": [
                {
                    "file": str(one.file),
                    "line": one.line,
                    "column": one.column,
                    "where": one.where,
                    "what": one.what,
                    "severity": one.severity.value,
                    "entry": one.entry,
                }
                for one in (*loaded.problems, *loaded.warnings)
            ],
        }
    )


async def _reaches(settings: "Settings", *, on_stderr: bool = False) -> bool:
    """Fetch a token and poll one job, as the daemon would. Whether both worked."""
    from gemwatch.app.system_clock import SystemClock
    from gemwatch.cli.doctor.api_check import ask_once, token_of
    from gemwatch.core.lists.rules import key_of
    from gemwatch.core.login import LoginError
    from gemwatch.core.secrets import Secrets

    clock = SystemClock()
    token = await token_of(settings, clock, Secrets.of(settings))
    if isinstance(token, LoginError):
        typer.echo(f"login: {token}", err=True)
        return False
    typer.echo(f"login: got a token, {until(token, clock.now())}", err=on_stderr)
    answer = await ask_once(settings, clock, token)
    typer.echo(f"api: {answer.words}", err=on_stderr or not answer.good)
    if not settings.discover or not answer.good:
        return answer.good
    found, failures = await matching(settings, clock, token)
    counts = Counter(key_of(rule) for rule, _ in found)
    for rule in settings.discover:
        typer.echo(
            f"discover: {key_of(rule)} matches {counted(counts[key_of(rule)], 'job', 'jobs')} now", err=on_stderr
        )
    for failure in failures:
        typer.echo(f"discover: {failure}", err=True)
    return not failures
