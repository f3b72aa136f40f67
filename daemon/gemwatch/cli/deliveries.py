"""`gemwatch deliveries`: what was told to whom, what still waits, and putting failed ones back."""

import os
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from gemwatch.cli.common import Config, Json, config_path, fail, open_store, print_json
from gemwatch.cli.tables import coloured, local, table, zone

app = typer.Typer(invoke_without_command=True, help="Show deliveries, or put failed ones back.")


class State(StrEnum):
    pending = "pending"
    sent = "sent"
    failed = "failed"


Only = Annotated[State | None, typer.Option("--state", help="Only these.")]
Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Which; all failed ones if none is named.")]


@app.callback()
def deliveries(context: typer.Context, state: Only = None, config: Config = None, *, as_json: Json = False) -> None:
    """Show deliveries, oldest first: one event to one target each."""
    from gemwatch.adapters.store.records import Records
    from gemwatch.cli.common import Chosen

    if config is not None:
        context.obj = Chosen(config)
    if context.invoked_subcommand is not None:
        return
    rows = Records(open_store(config_path(context, config))).deliveries(state)
    if as_json:
        print_json(rows)
        return
    from rich.console import Console

    if not rows:
        typer.echo(f"There are no {state or ''} deliveries.".replace("  ", " "))
        return
    columns = ["#", "Event", "What", "Job", "Target", "State", "Tries", "Sent or next try", "Last error"]
    Console().print(table(columns, map(_row, rows), zone()))


@app.command("retry")
def retry(context: typer.Context, ids: Ids = None, config: Config = None) -> None:
    """Put failed deliveries back for another 48 h. A running daemon sends them at once."""
    import sqlalchemy as sa

    from gemwatch.adapters.config.store import store_url
    from gemwatch.adapters.store.database import open_to_write
    from gemwatch.adapters.store.housekeeping import Housekeeping

    path = config_path(context, config)
    open_store(path).dispose()  # says what is wrong where there is no store of this version
    url = store_url(path, os.environ)
    engine = open_to_write(str(url), checkpoints=False)
    try:
        back = Housekeeping(engine).retry_failed(ids or [], datetime.now(UTC))
    except sa.exc.OperationalError as error:
        fail(f"the store cannot be written: {error.orig}. Run this as the user that runs the daemon")
    finally:
        engine.dispose()
    missing = sorted(set(ids or []) - set(back))
    typer.echo(f"{len(back)} put back." if back else "Nothing was put back: there is no failed delivery.")
    if missing:
        fail(f"not failed, or not there: {', '.join(map(str, missing))}")


def _row(row: dict[str, Any]) -> list[Any]:
    return [
        str(row["id"]),
        row["event"],
        row["kind"],
        None if row["job_id"] is None else str(row["job_id"]),
        row["target"],
        coloured(row["state"]),
        str(row["attempts"]),
        local(row["sent_at"] or row["next_attempt_at"]),
        row["last_error"] if row["state"] != State.sent else " ",
    ]
