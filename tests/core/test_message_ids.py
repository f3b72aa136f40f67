"""Message-IDs stay the same for a delivery, and threads keep together what belongs together."""

import re
from datetime import UTC, datetime, timedelta

from gemwatch.core.kinds import EventKind, Kind, UnknownKind
from gemwatch.core.message_ids import direct_ids, message_ids
from gemwatch.core.work import Delivery
from support.events import event_of

START = datetime(2026, 2, 18, 12, tzinfo=UTC)
HERE = "gis-prod"


def delivery(number: int, kind: Kind = EventKind.SUCCESS, *, job_id: int = 7, attempts: int = 0) -> Delivery:
    event = event_of(kind, at=START + timedelta(seconds=number), job_id=job_id)
    return Delivery(id=number, event_id=number, event=event, attempts=attempts, expires_at=START, claim=START)


def test_attempt_does_not_change_the_message_id() -> None:
    assert message_ids("team", [delivery(1)], HERE) == message_ids("team", [delivery(1, attempts=5)], HERE)


def test_message_ids_differ_by_event_target_and_instance() -> None:
    ids = {
        message_ids("team", [delivery(1)], HERE).message,
        message_ids("mail", [delivery(1)], HERE).message,
        message_ids("team", [delivery(2)], HERE).message,
        message_ids("team", [delivery(1), delivery(2)], HERE).message,
        message_ids("team", [delivery(1)], "gis-test").message,
    }
    assert len(ids) == 5


def test_each_kind_of_message_has_its_thread() -> None:
    def thread(*deliveries: Delivery) -> str:
        return message_ids("team", deliveries, HERE).thread

    assert thread(delivery(1)) == thread(delivery(2, EventKind.FAILED))
    others = {
        thread(delivery(1)),
        thread(delivery(1, job_id=8)),
        thread(delivery(1, EventKind.LOGIN)),
        thread(delivery(1, EventKind.API)),
        thread(delivery(1, EventKind.GROUP_DONE)),
        thread(delivery(1), delivery(2)),
    }
    assert len(others) == 6
    assert thread(delivery(1, EventKind.STORE)) == direct_ids("team", delivery(1, EventKind.STORE).event, HERE).thread


def test_ids_of_every_kind_are_valid_in_mail() -> None:
    for kind in (*EventKind, UnknownKind("odd kind\r\n<x@y>")):
        event = delivery(1, kind)
        for ids in (message_ids("täam <x>", [event], "a b@c"), direct_ids("t", event.event, HERE)):
            assert re.fullmatch(r"[\w.-]+", ids.message, re.ASCII)
            assert re.fullmatch(r"[\w.-]+", ids.thread, re.ASCII)
