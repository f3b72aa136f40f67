"""`gemwatch deliveries`: what was sent to whom, what is pending, and retrying failed ones."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from gemwatch.cli.common import Config, Json, config_path, delivery_id, fail, open_store, print_json, store_of
from gemwatch.cli.help import Command
from gemwatch.cli.tables import Cell, Column, Kind

_COLUMNS = (
    Column(title="#", kind=Kind.NUMBER),
    Column(title="Event"),
    Column(title="Kind"),
    Column(title="Job", kind=Kind.NUMBER, rank=2),
    Column(title="Target", kind=Kind.TEXT),
    Column(title="State", kind=Kind.WORD),
    Column(title="Attempts", kind=Kind.NUMBER, rank=4),
    Column(title="Sent", kind=Kind.TIME, rank=1),
    Column(title="Next attempt", kind=Kind.TIME, rank=3),
    Column(title="Last error", kind=Kind.TEXT),
)

app = typer.Typer(invoke_without_command=True, help="Show deliveries, or retry failed ones.")


class State(StrEnum):
    pending = "pending"
    sent = "sent"
    failed = "failed"


Only = Annotated[State | None, typer.Option("--state", help="Only these.")]
Ids = Annotated[
    list[int] | None,
    typer.Argument(parser=delivery_id, metavar="ID", help="Which; by default all failed ones.", show_default=False),
]


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
    from gemwatch.cli.tables import on_terminal, print_table, zone

    if not rows and on_terminal():
        print(f"There are no {state or ''} deliveries.".replace("  ", " "))
        return
    print_table(_COLUMNS, map(_row, rows), footer=zone())


@app.command("retry", cls=Command)
def retry(context: typer.Context, ids: Ids = None, config: Config = None) -> None:
    """Retry failed deliveries for another 48 hours.

    A running daemon sends them at once.
    """
    import sqlalchemy as sa

    from gemwatch.adapters.store.database import open_to_write
    from gemwatch.adapters.store.housekeeping import Housekeeping
    from gemwatch.core.text.formatting import counted

    path = config_path(context, config)
    open_store(path).dispose()  # says what is wrong where there is no store of this version
    engine = open_to_write(store_of(path), checkpoints=False)
    try:
        back = Housekeeping(engine).retry_failed(ids or [], datetime.now(UTC))
    except sa.exc.OperationalError as error:
        fail(f"the store cannot be written: {error.orig}. Run this as the user that runs the daemon")
    finally:
        engine.dispose()
    missing = sorted(set(ids or []) - set(back))
    typer.echo(
        f"{counted(len(back), 'delivery', 'deliveries')} requeued."
        if back
        else "There is no failed delivery to retry."
    )
    if missing:
        fail(f"no failed delivery has this number: {', '.join(map(str, missing))}")


def _row(row: dict[str, Any]) -> list[Cell]:
    from gemwatch.cli.jobs import time_of

    return [
        row["id"],
        row["event"],
        row["kind"],
        row["job_id"],
        row["target"],
        row["state"],
        row["attempts"],
        time_of(row["sent_at"]),
        time_of(row["next_attempt_at"]),
        row["last_error"] if row["state"] != State.sent else None,
    ]
