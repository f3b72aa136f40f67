"""What the pages show of deliveries: pure functions, as in `jobs.py`."""

from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.rows import DeliveryRow
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import words
from gemwatch.web.pages.words import Badge, Remark

FAILED_FIRST = ("failed", "pending", "rerouted", "sent")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownDelivery:
    """One event to one target, and whether it arrived. `text` is the message as it was sent, while it is kept."""

    id: int
    badge: Badge
    what: str
    event: str
    job_id: int | None
    job_title: str
    named: bool  # the title is not the id already
    target: str
    attempts: int
    sent: datetime | None
    next: datetime | None
    error: Remark | None
    text: str | None = None


def delivery(one: DeliveryRow, name: str | None = None) -> ShownDelivery:
    """`name`: what the job is called, where that is to be shown."""
    state = one.state
    error = one.last_error if state != "sent" else None
    return ShownDelivery(
        id=one.id,
        badge=words.of_state(state),
        text=one.text,
        what=single_line(one.kind.traits.label),
        event=one.event,
        job_id=one.job_id,
        job_title="" if one.job_id is None else words.title(one.job_id, name),
        named=bool(name),
        target=single_line(one.target, 80),
        attempts=one.attempts,
        sent=one.sent_at,
        next=one.next_attempt_at if state == "pending" else None,
        error=Remark(text=single_line(error, 300), tone="bad" if state == "failed" else "warn") if error else None,
    )
