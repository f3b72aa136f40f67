"""`gemwatch history`: every change of status that was seen."""

from typing import Annotated

import typer

from gemwatch.cli.common import Config, Json, config_path, fail, job_id, open_store, print_json
from gemwatch.cli.tables import coloured, local, table, zone

JobId = Annotated[int | None, typer.Argument(metavar="[JOB_ID]", parser=job_id, help="Only this job.")]


def history(context: typer.Context, job: JobId = None, config: Config = None, *, as_json: Json = False) -> None:
    """Show the transitions, oldest first. Each happened between the two times of its row."""
    from gemwatch.adapters.store.records import Records

    records = Records(open_store(config_path(context, config)))
    if job is not None and not records.knows(job):
        fail(f"job {job} is not known here: it was never on the watch list that the daemon read")
    rows = records.history(job)
    if as_json:
        print_json(rows)
        return
    from rich.console import Console

    if not rows:
        typer.echo("No change of status has been seen yet.")
        return
    shown = (
        [
            str(row["job_id"]),
            coloured(row["from"]) if row["from"] else "first seen",
            coloured(row["to"]),
            local(row["last_seen_before"]),
            local(row["observed_at"]),
        ]
        for row in rows
    )
    Console().print(table(["Job", "From", "To", "Last seen before", "Seen"], shown, zone()))
