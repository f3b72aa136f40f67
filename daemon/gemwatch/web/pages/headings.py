"""What stands above lists, in place of one without rows, and in the rows of deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.rows import DeliveryRow
from gemwatch.core.job import Status
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import words
from gemwatch.web.pages.query import Chip, ListQuery, Pager, badge_of
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


def heading(counts: Mapping[str, int]) -> str:
    """For the browser's tab: what readers want to see there."""
    running = counts.get(Status.IN_PROGRESS, 0)
    return f"{running:,} running" if running else "Jobs"


def summary(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    return f"{formatting.counted(sum(counts.values()), 'job', 'jobs')} watched"


def no_page(pages: Pager) -> str:
    there = "there is only one page" if pages.last == 1 else f"the last page is {pages.last:,}"
    return f"There is no page {pages.number:,}: {there}"


def nothing(asked: ListQuery, pages: Pager, counts: Mapping[str, int]) -> str:
    """Why no job is shown."""
    if pages.missing:
        return no_page(pages)
    if asked.state is not None and not asked.search and asked.state not in counts:
        kind = "job of the group" if asked.group else "watched job"
        return f"No {kind} has the status {badge_of(asked.state).word}"
    return "No job matches"


def state_chips(state: str | None, counts: Mapping[str, int]) -> list[Chip]:
    """The states of deliveries."""
    first = Chip(word="All", count=sum(counts.values()), url="/deliveries", current=state is None)
    badges = [(one, words.of_state(one)) for one in FAILED_FIRST]
    return [
        first,
        *(
            Chip(
                word=badge.word,
                count=counts[one],
                url=f"/deliveries?state={one}",
                current=one == state,
                tone=badge.tone,
                icon=badge.icon,
            )
            for one, badge in badges
        ),
    ]
