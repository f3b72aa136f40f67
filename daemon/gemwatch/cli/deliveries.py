"""`gemwatch deliveries`: what was sent to whom, what is pending, the text as sent, and retrying failed ones."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemwatch.cli import completion
from gemwatch.cli.common import (
    ChosenConfig,
    Config,
    Json,
    Limit,
    Since,
    config_path,
    delivery_id,
    fail,
    job_id,
    print_json,
    records_of,
    writing,
)
from gemwatch.cli.help import Command
from gemwatch.cli.output.tables import Cell, Column, ColumnKind, on_terminal, print_table, zone
from gemwatch.core.text.formatting import counted
from gemwatch.core.work import DeliveryState

if TYPE_CHECKING:
    from gemwatch.adapters.store.reads.rows import DeliveryRow
    from gemwatch.core.target_health import SentText

_COLUMNS = (
    Column(title="#", kind=ColumnKind.NUMBER),
    Column(title="Event"),
    Column(title="Kind"),
    Column(title="Job", kind=ColumnKind.NUMBER, rank=1),
    Column(title="Target", kind=ColumnKind.TEXT),
    Column(title="State", kind=ColumnKind.WORD),
    Column(title="Attempts", kind=ColumnKind.NUMBER, rank=4),
    Column(title="Sent", kind=ColumnKind.TIME, rank=2),
    Column(title="Next attempt", kind=ColumnKind.TIME, rank=3),
    Column(title="Last error", kind=ColumnKind.TEXT, least=12),
)

app = typer.Typer(invoke_without_command=True, help="Show deliveries and their texts, or retry failed ones.")


Only = Annotated[
    DeliveryState | None,
    typer.Option("--state", metavar="STATE", help=f"Only these: {', '.join(DeliveryState)}.", show_default=False),
]
Job = Annotated[
    int | None,
    typer.Option(
        "--job",
        parser=job_id,
        metavar="JOB_ID",
        help="Only this job.",
        autocompletion=completion.job_ids,
        show_default=False,
    ),
]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="Only this target.",
        autocompletion=completion.targets,
        show_default=False,
    ),
]
Ids = Annotated[
    list[int] | None,
    typer.Argument(
        parser=delivery_id,
        metavar="ID",
        help="Which; by default all failed ones.",
        autocompletion=completion.failed_deliveries,
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class DeliveryOrEvent:
    """`12` is a delivery, `gw-12` an event."""

    number: int
    event: bool


def _chosen(word: str) -> DeliveryOrEvent:
    """What `show` is asked for. Others end the command with code 2."""
    return DeliveryOrEvent(delivery_id(word.removeprefix("gw-")), event=word.startswith("gw-"))


Which = Annotated[
    DeliveryOrEvent,
    typer.Argument(
        parser=_chosen,
        metavar="ID|gw-N",
        help="A delivery's number, or the event id that ends a message.",
        autocompletion=completion.deliveries,
        show_default=False,
    ),
]


@app.callback()
def deliveries(
    context: typer.Context,
    state: Only = None,
    *,
    job: Job = None,
    target: Target = None,
    since: Since = None,
    limit: Limit = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show deliveries, oldest first: one event to one target each.

    `--since` counts from the time of the event.
    """
    if config is not None:
        context.obj = ChosenConfig(config)
    if context.invoked_subcommand is not None:
        return
    after = None if since is None else datetime.now(UTC) - since
    rows = records_of(config_path(context, config)).deliveries(state, job_id=job, target=target, after=after)
    rows = rows[-limit:] if limit else rows
    if as_json:
        from gemwatch.adapters.store.reads.json_shapes import delivery_json

        print_json([delivery_json(row) for row in rows])
        return
    nothing = "No delivery matches." if state or job or target or since else "There are no deliveries."
    print_table(_COLUMNS, map(_row, rows), footer=zone(), nothing=nothing)


@app.command("show", cls=Command)
def show(context: typer.Context, which: Which, config: Config = None, *, as_json: Json = False) -> None:
    """Show the text of a message as it was sent.

    Texts are kept for 30 days. A summary is one text of many deliveries. On a terminal, HTML is shown as text.
    """
    records = records_of(config_path(context, config))
    number = which.number
    rows = records.deliveries(event_id=number) if which.event else records.deliveries(delivery_id=number)
    if not rows:
        fail(f"there is no event gw-{number}" if which.event else f"there is no delivery {number}")
    texts = [(row, records.delivery_text(row.id)) for row in rows]
    if as_json:
        print_json([_with_text(row, text) for row, text in texts])
        return
    print("\n\n".join(_shown(row, text) for row, text in texts))


def _with_text(row: "DeliveryRow", text: "SentText | None") -> Mapping[str, Any]:
    from gemwatch.adapters.store.reads.json_shapes import delivery_json

    if text is None:
        return {**delivery_json(row), "title": None, "body": None, "format": None}
    return {**delivery_json(row), "title": text.title, "body": text.body, "format": text.format}


def _shown(row: "DeliveryRow", text: "SentText | None") -> str:
    head = f"Delivery {row.id} of {row.event} ({row.kind.value}) to {row.target}: {row.state}"
    if row.state != DeliveryState.SENT and row.last_error:
        head = f"{head}\nLast error: {row.last_error}"
    if text is None:
        why = "texts are kept for 30 days" if row.state == DeliveryState.SENT else "it has not been sent"
        return f"{head}\nNo text is kept: {why}."
    from gemwatch.cli.output.html_text import text_of

    others = len(text.carried) - 1
    also = f", with {counted(others, 'other', 'others')} in one summary" if others else ""
    if text.format == "html" and on_terminal():
        return f"{head}{also}, as html, which reads:\n\n{text_of(text.body)}"
    return f"{head}{also}, as {text.format}\n\n{text.title}\n\n{text.body}"


@app.command("retry", cls=Command)
def retry(context: typer.Context, ids: Ids = None, config: Config = None) -> None:
    """Retry failed deliveries for another 48 hours.

    A running daemon sends them at once.
    """
    from gemwatch.adapters.store.housekeeping import Housekeeping

    with writing(config_path(context, config)) as engine:
        back = Housekeeping(engine).retry_failed(ids or [], datetime.now(UTC))
    missing = sorted(set(ids or []) - set(back))
    if back:
        typer.echo(f"{counted(len(back), 'delivery', 'deliveries')} requeued.")
    elif not missing:
        typer.echo("There is no failed delivery to retry.")
    if missing:
        fail(f"no failed delivery has this number: {', '.join(map(str, missing))}")


def _row(row: "DeliveryRow") -> list[Cell]:
    return [
        row.id,
        row.event,
        row.kind.value,
        row.job_id,
        row.target,
        row.state,
        row.attempts,
        row.sent_at,
        row.next_attempt_at,
        row.last_error if row.state != DeliveryState.SENT else None,
    ]
