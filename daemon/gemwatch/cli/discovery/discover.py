"""`gemwatch discover`: what each rule matches now."""

import asyncio
from typing import TYPE_CHECKING

import typer

from gemwatch.cli.common import FAILED, MISUSED, Config, Json, config_path, fail, print_json, settings_of
from gemwatch.cli.discovery.rules import logged_in, matching, ruled
from gemwatch.cli.output.tables import Column, ColumnKind, print_table

if TYPE_CHECKING:
    from gemwatch.core.job import JobDetails
    from gemwatch.core.settings import Rule, Settings

_COLUMNS = (
    Column(title="Job", kind=ColumnKind.NUMBER),
    Column(title="Input", kind=ColumnKind.TEXT),
    Column(title="Status", kind=ColumnKind.WORD),
    Column(title="Requested", kind=ColumnKind.TIME, rank=1),
    Column(title="Watched"),
    Column(title="Rule", kind=ColumnKind.TEXT),
)


def discover(context: typer.Context, config: Config = None, *, as_json: Json = False) -> None:
    """Show what each rule under discover matches now.

    It reads the lists of jobs and changes nothing. Jobs that had ended before a rule was first applied match too, but
    are not watched. Exit codes: 0 done, 1 login failed or a list could not be read, 2 mistakes in the configuration.
    """
    from gemwatch.core.lists.rules import key_of

    path = config_path(context, config)
    settings = settings_of(path)
    if not settings.discover:
        fail(f"{path}: there is no rule under discover", MISUSED)
    found, failures = asyncio.run(_found(settings))
    watched = {watch.job_id for watch in settings.watches} | ruled(path)
    if as_json:
        print_json(
            [
                {
                    "rule": key_of(rule),
                    "job_id": job.job_id,
                    "input_filename": job.input_filename,
                    "status": job.status,
                    "watched": job.job_id in watched,
                }
                for rule, job in found
            ]
        )
    else:
        rows = (
            (
                job.job_id,
                job.input_filename,
                job.status,
                job.requested_at,
                "yes" if job.job_id in watched else "no",
                key_of(rule),
            )
            for rule, job in found
        )
        print_table(_COLUMNS, rows, nothing=None if failures else "The rules match no job now.")
    for failure in failures:
        typer.echo(failure, err=True)
    if failures:
        raise typer.Exit(FAILED)


async def _found(settings: "Settings") -> "tuple[list[tuple[Rule, JobDetails]], list[str]]":
    return await matching(settings, *await logged_in(settings))
