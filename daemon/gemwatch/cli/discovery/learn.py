"""`gemwatch learn`: past runs from the lists of jobs, for estimates, limits and comparisons."""

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from gemwatch.cli.common import FAILED, MISUSED, Config, Json, config_path, print_json, report_problems
from gemwatch.cli.discovery.rules import learning_in, listed, logged_in
from gemwatch.core.text.formatting import counted

if TYPE_CHECKING:
    from gemwatch.core.job import JobDetails
    from gemwatch.core.settings import Settings


def learn(context: typer.Context, config: Config = None, *, as_json: Json = False) -> None:
    """Learn from past jobs in the account.

    It reads the lists of jobs and keeps those that succeeded and were never watched as earlier runs. A new store does
    this automatically. Nothing about these jobs is ever sent. Exit codes: 0 done, 1 login failed or a list could not
    be read, 2 mistakes in the configuration.
    """
    from gemwatch.adapters.config.file import load
    from gemwatch.adapters.notify.urls import url_problem
    from gemwatch.core.lists.learning import learned_runs

    path = config_path(context, config)
    loaded = load(path, os.environ, url_problem=url_problem)
    if loaded.settings is None:
        report_problems(loaded.problems)
        raise typer.Exit(MISUSED)
    with learning_in(path) as learning:
        jobs, failures = asyncio.run(_listed(loaded.settings))
        new = learning.add(learned_runs(jobs, datetime.now(UTC)))
    if as_json:
        print_json({"listed": len(jobs), "learned": new})
    else:
        typer.echo(f"{counted(new, 'run', 'runs')} learned from {counted(len(jobs), 'listed job', 'listed jobs')}.")
    for failure in failures:
        typer.echo(failure, err=True)
    if failures:
        raise typer.Exit(FAILED)


async def _listed(settings: "Settings") -> "tuple[list[JobDetails], list[str]]":
    from gemwatch.core.listing import DOCUMENTED_TYPES

    return await listed(settings, *await logged_in(settings), DOCUMENTED_TYPES)
