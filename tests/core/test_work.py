"""How an attempt to deliver is settled."""

from datetime import UTC, datetime, timedelta

from gemwatch.core.events import Event, EventKind, Target, audience
from gemwatch.core.work import KEEP_TRYING, Delivery, DeliveryState, NotSent, Sent, postpone, settle

START = datetime(2026, 2, 18, 12, tzinfo=UTC)


def delivery(attempts: int = 0) -> Delivery:
    event = Event(kind=EventKind.SUCCESS, at=START, job_id=7)
    expires = START + KEEP_TRYING
    return Delivery(id=1, event_id=2, event=event, attempts=attempts, expires_at=expires, claim=START)


def test_what_was_taken_is_sent_and_not_due_again() -> None:
    settled = settle(delivery(), Sent(), START)
    assert (settled.state, settled.due_at, settled.sent_at, settled.attempts) == (DeliveryState.SENT, None, START, 1)


def test_failed_attempts_are_repeated_after_five_seconds_then_ever_later_up_to_a_quarter_of_an_hour() -> None:
    pauses = []
    for attempts in range(10):
        settled = settle(delivery(attempts), NotSent(reason="refused"), START)
        assert settled.due_at is not None
        pauses.append((settled.due_at - START).total_seconds())
    assert pauses == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]


def test_a_dead_target_is_tried_for_48_hours_to_the_end_and_then_given_up() -> None:
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


def test_what_was_put_off_has_not_been_tried() -> None:
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


def test_a_watch_narrows_who_hears_of_its_job_among_those_that_listen() -> None:
    def accepts(kind: EventKind, *narrowed: str) -> tuple[str, ...]:
        return audience(Event(kind=kind, at=START, job_id=7), TARGETS, narrowed or None)

    assert accepts(EventKind.SUCCESS) == ("slack", "mail")
    assert accepts(EventKind.SUCCESS, "mail") == ("mail",)
    assert accepts(EventKind.FAILED, "slack") == ()
    assert accepts(EventKind.LOGIN, "mail") == ("slack",)
    assert accepts(EventKind.CONFIG) == ()
