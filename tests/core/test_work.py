"""How an attempt to deliver is settled."""

from datetime import UTC, datetime, timedelta

import pytest

from gemwatch.core.events import Target, audience
from gemwatch.core.kinds import EventKind
from gemwatch.core.polls.tracked import Memory, Verdict
from gemwatch.core.work import (
    KEEP_TRYING,
    MOST_WAITING,
    AttemptFailure,
    Delivery,
    DeliveryState,
    NotSent,
    Report,
    Sent,
    postpone,
    record_first,
    settle,
)
from support.events import event_of

START = datetime(2026, 2, 18, 12, tzinfo=UTC)


def delivery(attempts: int = 0) -> Delivery:
    event = event_of(EventKind.SUCCESS, at=START)
    expires = START + KEEP_TRYING
    return Delivery(id=1, event_id=2, event=event, attempts=attempts, expires_at=expires, claim=START)


def test_accepted_delivery_is_sent_and_not_due() -> None:
    settled = settle(delivery(), Sent(), START)
    assert (settled.state, settled.due_at, settled.sent_at, settled.attempts) == (DeliveryState.SENT, None, START, 1)


def test_pauses_grow_from_5_seconds_to_15_minutes() -> None:
    pauses = []
    for attempts in range(10):
        settled = settle(delivery(attempts), NotSent(reason="refused"), START)
        assert settled.due_at is not None
        pauses.append((settled.due_at - START).total_seconds())
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


@pytest.mark.parametrize(
    ("attempts", "retry_after", "pause"),
    [
        (0, None, 60),
        (0, timedelta(seconds=1), 60),
        (0, timedelta(minutes=10), 600),
        (0, timedelta(days=2), 3600),
        (7, None, 640),
        (7, timedelta(minutes=2), 640),
    ],
)
def test_throttled_deliveries_wait_as_asked(attempts: int, retry_after: timedelta | None, pause: float) -> None:
    outcome = NotSent(reason="429", failure=AttemptFailure.THROTTLED, retry_after=retry_after)
    settled = settle(delivery(attempts), outcome, START)
    assert settled.due_at == START + timedelta(seconds=pause)


def test_delivery_fails_after_48_hours() -> None:
    now, one, tries = START, delivery(), 0
    while True:
        settled = settle(one, NotSent(reason="refused"), now)
        tries += 1
        if settled.due_at is None:
            break
        assert settled.state is DeliveryState.PENDING
        now, one = settled.due_at, delivery(settled.attempts)
    assert settled.state is DeliveryState.FAILED
    assert (settled.last_error, now) == ("refused", START + timedelta(hours=48))
    assert 190 < tries < 210


def test_postponed_delivery_counts_no_attempt() -> None:
    settled = postpone(delivery(3), START + timedelta(seconds=5))
    assert (settled.state, settled.attempts, settled.due_at) == (
        DeliveryState.PENDING,
        3,
        START + timedelta(seconds=5),
    )


TARGETS = (
    Target(name="slack", url="json://a", on=frozenset({EventKind.SUCCESS, EventKind.LOGIN})),
    Target(name="mail", url="json://b", on=frozenset({EventKind.SUCCESS, EventKind.FAILED})),
)


def test_watch_narrows_the_audience_of_its_job() -> None:
    def accepts(kind: EventKind, *narrowed: str) -> tuple[str, ...]:
        return audience(event_of(kind), TARGETS, narrowed or None)

    assert accepts(EventKind.SUCCESS) == ("slack", "mail")
    assert accepts(EventKind.SUCCESS, "mail") == ("mail",)
    assert accepts(EventKind.FAILED, "slack") == ()
    assert accepts(EventKind.LOGIN, "mail") == ("slack",)
    assert accepts(EventKind.CONFIG) == ()


def report(job_id: int, *, ended: bool) -> Report:
    events = (event_of(EventKind.SUCCESS, at=START, job_id=job_id),) if ended else ()
    verdict = Verdict(job_id=job_id, memory=Memory(), due_at=None, events=events)
    return Report(claim=START, at=START, verdict=verdict)


@pytest.mark.parametrize(
    ("ends", "now"), [(0, 0), (50, 50), (51, 50), (2_050, 50), (2_051, 51), (MOST_WAITING + 900, 900)]
)
def test_ends_wait_for_polls_in_the_order_of_arrival(ends: int, now: int) -> None:
    ended = [report(number, ended=True) for number in range(ends)]
    others = [report(number, ended=False) for number in range(10_000, 10_100)]
    first, later = record_first([*ended[:1], *others, *ended[1:]])
    assert sorted(first, key=lambda one: one.verdict.job_id) == [*ended[:now], *others]
    assert later == ended[now:]
