"""What the commands share: the configuration they were given, ids, and how they end when something is wrong."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gemwatch.adapters.config.places import NoConfigError, find
from gemwatch.cli import completion
from gemwatch.cli.access import denied
from gemwatch.cli.output import streams
from gemwatch.core.job_id import NOT_A_JOB_ID, job_id_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gemwatch.adapters.store.reads.records import Records
    from gemwatch.core.settings import Place, Problem, Settings

FAILED, MISUSED = 1, 2

Config = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", readable=False, help="The configuration file.", show_default=False
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def job_id(word: str) -> int:
    """Parses a job id on the command line: `typer.Argument(parser=job_id, metavar="JOB_ID")`. Ends with code 2."""
    found = job_id_of(word)
    if found is None:
        raise typer.BadParameter(f"{json.dumps(word[:40])} {NOT_A_JOB_ID}", param_hint="JOB_ID")
    return found


def delivery_id(word: str) -> int:
    """The number of a delivery, as `gemwatch deliveries` shows it. Others end the command with code 2."""
    found = job_id_of(word)  # the same numbers
    if found is None:
        raise typer.BadParameter(f"{json.dumps(word[:40])} is not the number of a delivery", param_hint="ID")
    return found


def count(word: str) -> int:
    """How many of something. Others end the command with code 2."""
    if not (word.isascii() and word.isdigit() and len(word) < 10 and int(word) > 0):  # noqa: PLR2004 (digits)
        raise typer.BadParameter(f"{json.dumps(word[:40])} is not a number; write an integer from 1")
    return int(word)


def duration(text: str) -> timedelta:
    """A time such as 90s, 30m, 8h or 7d. Others end the command with code 2."""
    from gemwatch.adapters.config import values
    from gemwatch.adapters.config.bad_value import BadValueError

    try:
        return values.duration(text)
    except BadValueError as error:
        raise typer.BadParameter(str(error)) from None


SomeJobs = Annotated[
    list[int] | None,
    typer.Argument(
        parser=job_id,
        metavar="JOB_ID",
        help="Only these jobs.",
        autocompletion=completion.job_ids,
        show_default=False,
    ),
]
SomeTargets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET", help="Only these; by default all.", autocompletion=completion.targets, show_default=False
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", parser=count, metavar="N", help="Show at most N.", show_default=False)
]

Since = Annotated[
    timedelta | None,
    typer.Option(
        "--since", parser=duration, metavar="TIME", help="Only from the last 90s, 30m, 8h or 7d.", show_default=False
    ),
]


@dataclass(frozen=True, slots=True)
class ChosenConfig:
    """The configuration named before the command; one named behind it wins."""

    config: Path | None


def config_option(context: typer.Context, config: Path | None) -> Path | None:
    """The configuration that the options name, if any."""
    chosen: ChosenConfig = context.find_object(ChosenConfig) or ChosenConfig(None)
    return config or chosen.config


def config_path(context: typer.Context, config: Path | None) -> Path:
    try:
        return find(config_option(context, config), os.environ)
    except NoConfigError as error:
        fail(str(error), MISUSED)


def settings_of(path: Path) -> "Settings":
    """The checked settings, for a command that cannot do without. Mistakes end it with code 2."""
    from gemwatch.adapters.config.file import load
    from gemwatch.adapters.notify.urls import url_problem

    loaded = load(path, os.environ, url_problem=url_problem)
    report_problems(loaded.problems)
    if loaded.settings is None:
        report_access(path)
        raise typer.Exit(MISUSED)
    return loaded.settings


def store_of(path: Path) -> "Place":
    """Where the store is. Of the configuration only `store.url` counts: secrets need not be at hand."""
    from gemwatch.adapters.config.file import load_sections

    loaded = load_sections(path, os.environ, ("store.url",))
    if loaded.settings is not None:
        return loaded.settings.store.place
    report_problems(loaded.problems)
    report_access(path)
    raise typer.Exit(MISUSED)


def open_store(path: Path) -> "sa.Engine":
    """The store, to read."""
    from gemwatch.adapters.store.database import open_to_read
    from gemwatch.adapters.store.files import StoreError
    from gemwatch.adapters.store.schema import check

    store = store_of(path)
    refuse_without_access(store)
    try:
        engine = open_to_read(store)
        check(engine)
    except StoreError as error:
        fail(str(error))
    return engine


def records_of(path: Path) -> "Records":
    """What the store holds."""
    from gemwatch.adapters.store.reads.records import Records

    return Records(open_store(path))


@contextmanager
def writing(path: Path) -> "Iterator[sa.Engine]":
    """The store, to write."""
    import sqlalchemy as sa

    from gemwatch.adapters.store.database import open_to_write

    open_store(path).dispose()  # reports what is wrong if the store is missing or has another version
    engine = open_to_write(store_of(path), checkpoints=False)
    try:
        yield engine
    except sa.exc.OperationalError as error:
        fail(f"the store cannot be written: {error.orig}. Run this as the user that runs the daemon")
    finally:
        engine.dispose()


def refuse_unknown(job_ids: Iterable[int]) -> None:
    """End the command if it was asked for jobs that the store does not have."""
    if which := ", ".join(map(str, job_ids)):
        fail(f"not known here: {which}. No job of that id was ever on the watch list that the daemon read")


def refuse_without_access(store: "Place") -> None:
    """End the command where this user may not read the store's file, with whose it is."""
    if isinstance(store, Path) and (sentence := denied(store)) is not None:
        fail(sentence)


def report_access(file: Path) -> None:
    """After a file could not be read: whose it is, and as whom to run, if that is why."""
    if (sentence := denied(file)) is not None:
        streams.complain(sentence)


def report_problems(problems: "Sequence[Problem]") -> None:
    """One line a mistake, on standard error, in the form that editors and terminals make a link of."""
    for problem in problems:
        typer.echo(str(problem), err=True)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End the command with a sentence on standard error."""
    streams.complain(message)
    raise typer.Exit(code)


def print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2)  # pure ASCII: names from outside may hold what no encoding can carry
    sys.stdout.write("\n")
