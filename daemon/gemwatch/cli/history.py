"""`gemwatch history`: every change of status that was seen."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli import completion
from gemwatch.cli.common import (
    Config,
    Json,
    Limit,
    Since,
    SomeJobs,
    config_path,
    job_id,
    print_json,
    records_of,
    refuse_unknown,
)
from gemwatch.cli.output.jobs import failure_reasons
from gemwatch.cli.output.tables import Cell, Column, ColumnKind, print_table, zone

if TYPE_CHECKING:
    from gemwatch.adapters.store.reads.rows import TransitionRow

_COLUMNS = (
    Column(title="Job", kind=ColumnKind.NUMBER),
    Column(title="From", kind=ColumnKind.WORD),
    Column(title="To", kind=ColumnKind.WORD),
    Column(title="Last seen before", kind=ColumnKind.TIME, rank=1),
    Column(title="Seen", kind=ColumnKind.TIME),
    Column(title="Remark", kind=ColumnKind.TEXT, least=28),
)

Jobs = Annotated[
    list[int] | None,
    typer.Option(
        "--job",
        parser=job_id,
        metavar="JOB_ID",
        help="Only this job, as if it were an argument; may be repeated.",
        autocompletion=completion.job_ids,
        show_default=False,
    ),
]


def history(
    context: typer.Context,
    job_ids: SomeJobs = None,
    *,
    jobs: Jobs = None,
    since: Since = None,
    limit: Limit = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show every change of status, oldest first.

    Each change happened between the two times of its row: the last poll before it, and the poll that saw it.
    """
    records = records_of(config_path(context, config))
    ids = list(dict.fromkeys([*(job_ids or []), *(jobs or [])]))
    refuse_unknown(number for number in ids if not records.knows(number))
    after = None if since is None else datetime.now(UTC) - since
    rows = records.history(ids[0] if len(ids) == 1 else None)
    rows = [row for row in rows if (not ids or row.job_id in ids) and (after is None or row.observed_at >= after)]
    rows = rows[-limit:] if limit else rows
    if as_json:
        from gemwatch.adapters.store.reads.json_shapes import transition_json

        print_json([transition_json(row) for row in rows])
        return
    nothing = "No change of status matches." if since or ids else "No change of status has been seen yet."
    print_table(_COLUMNS, map(_row, rows), footer=zone(), nothing=nothing)


def _row(row: "TransitionRow") -> list[Cell]:
    return [
        row.job_id,
        row.before or "first seen",
        row.after,
        row.last_seen_before,
        row.observed_at,
        "; ".join(failure_reasons(row)),
    ]
