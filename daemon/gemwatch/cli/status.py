"""`gemwatch status`: the watched jobs, and how the service is."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli import completion
from gemwatch.cli.common import (
    MISUSED,
    Config,
    Json,
    Limit,
    SomeJobs,
    config_path,
    fail,
    print_json,
    records_of,
    refuse_unknown,
)
from gemwatch.cli.output.jobs import COLUMNS, NOT_FOUND, Sort, chosen, ordered, row_of
from gemwatch.cli.output.tables import on_terminal, print_details, print_table, terminal_size, zone
from gemwatch.core.text.context import Context

if TYPE_CHECKING:
    from gemwatch.adapters.store.reads.rows import JobRow, Overview

Statuses = Annotated[
    list[str] | None,
    typer.Option(
        "--status",
        metavar="STATUS",
        help=f'Only jobs with this status, such as FAILED or "{NOT_FOUND}"; may be repeated.',
        autocompletion=completion.statuses,
        show_default=False,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "--name",
        metavar="PATTERN",
        help="Only jobs whose name matches, with * and ? as wildcards.",
        autocompletion=completion.names,
        show_default=False,
    ),
]
InGroup = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="GROUP",
        help="Only the jobs of this group.",
        autocompletion=completion.groups,
        show_default=False,
    ),
]
By = Annotated[Sort, typer.Option("--sort", metavar="KEY", help=f"The order: {', '.join(Sort)}.")]
Follow = Annotated[
    bool, typer.Option("--follow", "-f", help="Keep it up to date until Ctrl-C; in a pipe, print each change.")
]
All = Annotated[bool, typer.Option("--all", help="Also jobs that are no longer watched.")]


def status(
    context: typer.Context,
    job_ids: SomeJobs = None,
    *,
    statuses: Statuses = None,
    name: Name = None,
    group: InGroup = None,
    sort: By = Sort.JOB_ID,
    limit: Limit = None,
    config: Config = None,
    everything: All = False,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Show the watched jobs and the state of the service.

    --json prints every job in the store, with `watched` true or false, unless options select some.
    """
    if follow and as_json:
        fail("--follow does not go with --json; in a pipe, --follow prints a line for each change", MISUSED)
    path = config_path(context, config)
    records, here = records_of(path), Context(config_path=str(path.absolute()))
    ids = set(job_ids or [])

    def select(jobs: "Sequence[JobRow]") -> "list[JobRow]":
        unwatched = everything or as_json
        those = chosen(jobs, ids=ids, statuses=statuses or [], name=name, group=group, everything=unwatched)
        return ordered(those, sort)[:limit] if sort is not Sort.JOB_ID or limit else those

    found = records.status()
    refuse_unknown(sorted(ids - {job.job_id for job in found.jobs}))
    if group is not None and all(job.group != group for job in found.jobs):
        fail(f"no job is in the group {group!r}")
    if as_json:
        from gemwatch.adapters.store.reads.json_shapes import status_json

        print_json(status_json(select(found.jobs), found.service))
    elif follow:
        from gemwatch.cli.output.follow import follow_changes, follow_on_screen

        by_urgency = sort is Sort.JOB_ID
        (follow_on_screen if on_terminal() else follow_changes)(records.status, select, here, by_urgency=by_urgency)
    else:
        _show(found, select, here, ids)


def _show(
    found: "Overview", select: "Callable[[Sequence[JobRow]], list[JobRow]]", context: Context, ids: set[int]
) -> None:
    from gemwatch.cli.output.service import complain_of_failures, failure_lines, replica_lines, service_line

    jobs, service = select(found.jobs), found.service
    if not on_terminal():
        complain_of_failures(service, context)
        print_table(COLUMNS, map(row_of, jobs))
        return
    for line in failure_lines(service, terminal_size().columns, context):
        print(line)
    if len(jobs) == 1 and len(ids) == 1:
        number = jobs[0].job_id
        more = f"Its messages: gemwatch deliveries --job {number}\nIts changes:  gemwatch history {number}"
        print_details(COLUMNS, row_of(jobs[0]), footer=f"{more}\n\n{zone()}")
    elif jobs:
        print_table(COLUMNS, map(row_of, jobs), footer=f"{zone()} One job in full: gemwatch status JOB_ID")
    else:
        print("No job matches." if any(job.watched for job in found.jobs) else "No job is watched.")
    print("\n".join([service_line(service), *replica_lines(service, terminal_size().columns)]))
