"""What the pages show of deliveries: pure functions, as in `jobs.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gemwatch.core.kinds import kind_of
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import words
from gemwatch.web.pages.words import Badge, Remark

Json = Mapping[str, Any]

FAILED_FIRST = ("failed", "pending", "sent")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
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


def delivery(one: Json, name: str | None = None) -> DeliveryRow:
    """`name`: what the job is called, where that is to be shown."""
    state = one["state"]
    error = one["last_error"] if state != "sent" else None
    return DeliveryRow(
        id=one["id"],
        badge=words.of_state(state),
        text=one.get("text"),
        what=single_line(kind_of(one["kind"]).traits.label),
        event=one["event"],
        job_id=one["job_id"],
        job_title="" if one["job_id"] is None else words.title(one["job_id"], name),
        named=bool(name),
        target=single_line(one["target"], 80),
        attempts=one["attempts"],
        sent=words.time(one["sent_at"]),
        next=words.time(one["next_attempt_at"]) if state == "pending" else None,
        error=Remark(text=single_line(error, 300), tone="bad" if state == "failed" else "warn") if error else None,
    )
