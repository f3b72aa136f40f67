"""`gemwatch wait`: returns when jobs have ended, with an exit code that says how. For scripts and pipelines."""

import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.adapters.config.places import VARIABLE, NoConfigError, find
from gemwatch.cli import completion
from gemwatch.cli.common import (
    MISUSED,
    Config,
    Json,
    config_option,
    duration,
    fail,
    job_id,
    report_access,
    report_problems,
)
from gemwatch.core.outcome import EXIT_CODES, Outcome, WaitTerms
from gemwatch.core.settings import Settings, StoreSettings

if TYPE_CHECKING:
    from gemwatch.cli.wait.output import Shown
    from gemwatch.core.settings import Place
    from gemwatch.core.waiting import JobStanding

_REQUEST = timedelta(seconds=30)  # for an answer of a daemon elsewhere
_SIGNALS = {signal.SIGINT: Outcome.INTERRUPTED, signal.SIGTERM: Outcome.TERMINATED}

JobIds = Annotated[
    list[int] | None,
    typer.Argument(
        parser=job_id,
        metavar="JOB_ID",
        help="The jobs; one given twice counts once.",
        autocompletion=completion.unfinished_job_ids,
        show_default=False,
    ),
]
OfGroup = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="The jobs that are in this group when the wait starts; for that, a daemon has to know it.",
        autocompletion=completion.groups,
        show_default=False,
    ),
]
AnyOne = Annotated[
    bool,
    typer.Option("--any/--all", help="Until the first has ended; by default until all have.", show_default=False),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="Return at once when a job FAILED, is not found or is refused.")
]


class Unknown(StrEnum):
    wait = "wait"
    end = "end"


UnknownStatus = Annotated[
    Unknown,
    typer.Option(
        "--unknown-status", metavar="end|wait", help="Whether a status that gemwatch does not know is an end."
    ),
]
Timeout = Annotated[
    timedelta | None,
    typer.Option(
        "--timeout",
        parser=duration,
        metavar="TIME",
        help="Give up after 90s, 30m, 8h or 2d; by default never.",
        show_default=False,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        help="Follow the jobs in the daemon at this https address.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        readable=False,
        help="With --url: the file with its web.token; by default GEMWATCH_WEB_TOKEN.",
        show_default=False,
    ),
]


def wait(
    context: typer.Context,
    job_ids: JobIds = None,
    config: Config = None,
    *,
    group: OfGroup = None,
    any_one: AnyOne = False,
    fail_fast: FailFast = False,
    unknown_status: UnknownStatus = Unknown.wait,
    timeout: Timeout = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Wait for jobs; the exit code shows how they ended.

    A job that a running daemon watches is followed in its store; others are polled here. Without a configuration
    file, TOMTOM_API_KEY and the Azure CLI's login are all that is needed. With --url, neither is needed: the daemon
    at that address polls.

    On a terminal a table is shown, elsewhere a line for each change. While the network or the API is down, the
    wait keeps trying until --timeout.

    \b
    Exit codes, the first that applies:
      130  interrupted (143: by SIGTERM)
        1  a job FAILED
        5  a job is not found
        4  the login is refused
      124  --timeout has passed
        6  a status that gemwatch does not know, with --unknown-status end
        3  SUCCESS, but a result needs review
        0  SUCCESS
        2  wrong usage or configuration
       70  an internal error of gemwatch
    """  # noqa: D301 (click keeps the lines that follow a real backspace)
    _before_the_loop()
    jobs = list(dict.fromkeys(job_ids or []))
    terms = WaitTerms(any_one=any_one, fail_fast=fail_fast, unknown_ends=unknown_status is Unknown.end)
    if token_file is not None and url is None:
        fail("--token-file is for --url, which names the daemon", MISUSED)
    if not jobs and group is None:
        fail("name at least one job id, or a group with --group", MISUSED)
    if url is None:
        settings, store = _settings(context, config)
        if group is not None:
            jobs = list(dict.fromkeys([*jobs, *_members(store, group)]))
        standings, outcome = _waited(settings, store, jobs, terms, timeout, as_json=as_json)
    else:
        standings, outcome = _waited_remotely(url, token_file, jobs, terms, timeout, group=group, as_json=as_json)
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


def _settings(context: typer.Context, config: Path | None) -> "tuple[Settings, Place | None]":
    """The settings and the place of the store; from the environment, and without a store, where there is no file."""
    from gemwatch.adapters.config.bad_value import BadValueError
    from gemwatch.adapters.config.file import api_from_environment, load_sections

    named = config_option(context, config) or os.environ.get(VARIABLE)
    path, missing = None, "there is no configuration file that this user may read"
    try:
        path = find(Path(named) if named else None, os.environ)
    except NoConfigError as error:
        missing = str(error)
    # The system's file may be for the service only. Then the environment counts, as if there were none.
    if path is not None and (named or os.access(path, os.R_OK)):
        loaded = load_sections(path, os.environ, ("api", "poll", "gate", "store", "watch"))
        if loaded.settings is not None:
            return loaded.settings, loaded.settings.store.place
        report_problems(loaded.problems)
        report_access(path)
        raise typer.Exit(MISUSED)
    try:
        return Settings(api=api_from_environment(os.environ), store=StoreSettings(place=Path())), None
    except BadValueError as error:
        fail(f"{missing}\nA wait also works without a file, with the key in the environment; but {error}", MISUSED)


def _waited(
    settings: "Settings",
    store: "Place | None",
    jobs: list[int],
    terms: WaitTerms,
    limit: timedelta | None,
    *,
    as_json: bool,
) -> "tuple[Sequence[JobStanding], Outcome]":
    import asyncio

    from gemwatch.cli.wait.collaborators import waited

    names = {watch.job_id: watch.name for watch in settings.watches}
    named = {job_id: names.get(job_id) for job_id in jobs}
    shown = _shown(as_json=as_json)
    try:
        return asyncio.run(waited(settings, store, named, terms, limit, shown=shown, signals=_SIGNALS))
    finally:
        shown.finish()


def _waited_remotely(
    url: str,
    token_file: Path | None,
    jobs: list[int],
    terms: WaitTerms,
    limit: timedelta | None,
    *,
    group: str | None,
    as_json: bool,
) -> "tuple[Sequence[JobStanding], Outcome]":
    from gemwatch.cli.wait.remote import waited
    from gemwatch.client import Client, ClientError, read_token

    shown = _shown(as_json=as_json)
    try:
        with Client(
            url, token=read_token(os.environ, token_file), timeout=min(_REQUEST, limit or _REQUEST)
        ) as client:
            return waited(client, jobs, terms, limit, group=group, shown=shown, signals=_SIGNALS)
    except ClientError as error:
        fail(str(error), MISUSED)
    finally:
        shown.finish()


def _members(store: "Place | None", group: str) -> list[int]:
    """The jobs of the group, by the store. Ends the command if it has none."""
    from gemwatch.adapters.store.database import open_to_read
    from gemwatch.adapters.store.files import StoreError
    from gemwatch.adapters.store.reads.groups import members_of
    from gemwatch.adapters.store.schema import check

    if store is None:
        fail(
            "--group needs the store of a daemon: name its configuration with --config, or its address with --url",
            MISUSED,
        )
    try:
        engine = open_to_read(store)
        check(engine)
        with engine.begin() as connection:
            members = members_of(connection, group)
    except StoreError as error:
        fail(f"the members of the group cannot be read: {error}", MISUSED)
    return members or fail(f"no job is in the group {group!r}", MISUSED)


def _shown(*, as_json: bool) -> "Shown":
    from gemwatch.cli.wait.output import Lines, Shown, Table

    return Shown() if as_json else Table() if sys.stdout.isatty() else Lines()
