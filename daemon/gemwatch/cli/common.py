"""What the commands share: the configuration they were given, and how they end when something is wrong."""

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from gemwatch.core.job_id import NOT_A_JOB_ID, job_id_of

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gemwatch.core.secrets import Secrets
    from gemwatch.core.settings import Problem, Settings

FAILED, MISUSED = 1, 2

Config = Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@dataclass(frozen=True, slots=True)
class Chosen:
    """The configuration named before the command; one named behind it wins."""

    config: Path | None


def job_id(word: str) -> int:
    """Parses a job id on the command line: `typer.Argument(parser=job_id, metavar="JOB_ID")`. Ends with code 2."""
    found = job_id_of(word)
    if found is None:
        raise typer.BadParameter(f"{json.dumps(word[:40])} {NOT_A_JOB_ID}", param_hint="JOB_ID")
    return found


def config_path(context: typer.Context, config: Path | None) -> Path:
    from gemwatch.adapters.config.file import find

    chosen: Chosen = context.find_object(Chosen) or Chosen(None)
    return find(config or chosen.config, os.environ)


def settings_of(path: Path) -> "Settings":
    """The checked settings, for a command that cannot do without. Mistakes end it with code 2."""
    from gemwatch.adapters.config.file import load
    from gemwatch.adapters.notify.urls import url_problem

    loaded = load(path, os.environ, url_problem=url_problem)
    say_problems(loaded.problems)
    if loaded.settings is None:
        raise typer.Exit(MISUSED)
    return loaded.settings


def secrets_of(settings: "Settings") -> "Secrets":
    """What a failing token command, say, must not be quoted with."""
    from gemwatch.core.secrets import Secrets

    secrets = Secrets()
    secrets.add(settings.api.key, settings.api.token.value)
    return secrets


def open_store(path: Path) -> "sa.Engine":
    """The store, to read. Of the configuration only `store.url` counts: secrets need not be at hand."""
    from gemwatch.adapters.config.store import store_url
    from gemwatch.adapters.store.database import StoreError, open_to_read
    from gemwatch.adapters.store.schema import check

    url = store_url(path, os.environ)
    if not isinstance(url, str):
        say_problems(url)
        raise typer.Exit(MISUSED)
    try:
        engine = open_to_read(url)
        check(engine)
    except StoreError as error:
        fail(str(error))
    return engine


def say_problems(problems: "Sequence[Problem]") -> None:
    """One line a mistake, on standard error, in the form that editors and terminals make a link of."""
    for problem in problems:
        typer.echo(str(problem), err=True)


def fail(message: str, code: int = FAILED) -> NoReturn:
    """End the command with a sentence on standard error."""
    typer.echo(f"gemwatch: {message}", err=True)
    raise typer.Exit(code)


def print_json(document: Any) -> None:
    json.dump(document, sys.stdout, indent=2)  # pure ASCII: names from outside may hold what no encoding can carry
    sys.stdout.write("\n")
