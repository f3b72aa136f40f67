"""`gemwatch wait`: returns when jobs have ended, with an exit code that says how. For scripts and pipelines."""

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli.common import MISUSED, Chosen, Config, Json, config_path, fail, job_id, say_problems
from gemwatch.core.outcome import EXIT_CODES, Outcome, Terms

if TYPE_CHECKING:
    from gemwatch.adapters.config.wait import WaitSettings
    from gemwatch.core.waiting import Standing

_OWN_FAULT = 70  # EX_SOFTWARE
_SIGNALS = {signal.SIGINT: Outcome.INTERRUPTED, signal.SIGTERM: Outcome.TERMINATED}

JobIds = Annotated[list[int], typer.Argument(metavar="JOB_ID...", parser=job_id, help="The jobs.")]
AnyOne = Annotated[
    bool,
    typer.Option("--any/--all", help="Until the first has ended; by default until all have.", show_default=False),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="Return at once when a job FAILED, is not found or is refused.")
]
Limit = Annotated[
    str | None,
    typer.Option("--timeout", metavar="TIME", help="Give up after 90s, 30m, 8h or 2d. Default: never."),
]


def wait(
    context: typer.Context,
    job_ids: JobIds,
    config: Config = None,
    *,
    any_one: AnyOne = False,
    fail_fast: FailFast = False,
    timeout: Limit = None,
    as_json: Json = False,
) -> None:
    """Wait until jobs have ended. The exit code says how they did.

    A job that a running daemon watches is followed in its store; any other is asked for here. Without a
    configuration file, TOMTOM_API_KEY and the Azure CLI's login are all that is needed.

    On a terminal a table is shown, elsewhere a line for each change. A network or an API that is down is waited
    for, until --timeout.

    \b
    Exit codes, the first that applies:
      130  interrupted (143: by SIGTERM)
        1  a job FAILED
        5  a job is not found
        4  the login is refused
      124  --timeout has passed
        3  SUCCESS, but a result needs review
        0  SUCCESS
        2  wrong usage or configuration
       70  a fault of gemwatch's own, with its traceback
    """  # noqa: D301 (click keeps the lines that follow a real backspace)
    _before_the_loop()
    from gemwatch.adapters.config import values

    jobs = list(dict.fromkeys(job_ids))
    try:
        limit = None if timeout is None else values.duration(timeout)
    except values.BadValue as error:
        raise typer.BadParameter(str(error), param_hint="--timeout") from None
    settings = _settings(context, config)
    terms = Terms(any_one=any_one, fail_fast=fail_fast)
    try:
        standings, outcome = _waited(settings, jobs, terms, limit, as_json=as_json)
    except Exception:  # whatever it is, it must not look like a job that FAILED
        traceback.print_exc()
        raise typer.Exit(_OWN_FAULT) from None
    from gemwatch.cli.wait.output import document, explain, put

    if as_json:
        put(json.dumps(document(standings, outcome), indent=2))  # pure ASCII, whatever the encoding
    explain(standings, outcome)
    raise typer.Exit(EXIT_CODES[outcome])


def _before_the_loop() -> None:
    """A signal while the program is still starting ends it with the code that it has later too."""

    def stop(number: int, _: object) -> None:
        raise SystemExit(EXIT_CODES[_SIGNALS[signal.Signals(number)]])

    for one in _SIGNALS:
        signal.signal(one, stop)


def _settings(context: typer.Context, config: Path | None) -> "WaitSettings":
    """From the configuration file; from the environment where none is named and none is found."""
    from gemwatch.adapters.config.sources import stamp
    from gemwatch.adapters.config.values import BadValue
    from gemwatch.adapters.config.wait import WaitSettings, from_environment, from_file

    chosen = context.find_object(Chosen) or Chosen(None)
    path = config_path(context, config)
    named = config or chosen.config or os.environ.get("GEMWATCH_CONFIG")
    if named or stamp(path):
        settings = from_file(path, os.environ)
        if isinstance(settings, WaitSettings):
            return settings
        say_problems(settings)
        raise typer.Exit(MISUSED)
    try:
        return from_environment(os.environ)
    except BadValue as error:
        fail(f"there is no configuration file, and {error}: set it, or name a file with --config", MISUSED)


def _waited(
    settings: "WaitSettings", jobs: list[int], terms: Terms, limit: timedelta | None, *, as_json: bool
) -> "tuple[Sequence[Standing], Outcome]":
    import asyncio
    import io

    from gemwatch.cli.wait.collaborators import waited
    from gemwatch.cli.wait.output import Lines, Nothing, Table

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a name that the terminal cannot show is no reason to fail
    named = {job_id: watch.name if (watch := settings.watches.get(job_id)) else None for job_id in jobs}
    if as_json or not sys.stdout.isatty():
        shown = Nothing() if as_json else Lines()
        return asyncio.run(waited(settings, named, terms, limit, shown=shown, signals=_SIGNALS))
    from rich.console import Console
    from rich.live import Live

    with Live(console=Console(), auto_refresh=False, redirect_stderr=sys.stderr.isatty()) as live:
        return asyncio.run(waited(settings, named, terms, limit, shown=Table(live), signals=_SIGNALS))
