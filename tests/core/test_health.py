"""Login and API: edges are told, once."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from gemwatch.core.health import ApiState, Health, Login, after, overdue
from gemwatch.core.job import Failed, NotFound, Observation, Refused, Seen, Throttled, read_details

START = datetime(2026, 2, 18, 12, tzinfo=UTC)
ALERT_AFTER = timedelta(minutes=10)
LETTERS = {
    "s": lambda at: Seen(at=at, job=read_details(json.dumps({"job_id": 7, "status": "REQUESTED"}))),
    "n": lambda at: NotFound(at=at),
    "r": lambda at: Refused(at=at, reason="HTTP 401"),
    "l": lambda at: Refused(at=at, reason="no token", certain=True),
    "t": lambda at: Throttled(at=at),
    "f": lambda at: Failed(at=at, sent_at=at, reason="HTTP 500"),
    "b": lambda at: Failed(at=at, sent_at=at, reason="HTML", bad=True),
}


def told(looks: str, minutes: float = 1) -> list[str]:
    """What is told when these looks come at such intervals: `login!` for trouble, `login` for its end."""
    health, words = Health(), []
    for number, letter in enumerate(looks):
        seen: Observation = LETTERS[letter](START + timedelta(minutes=minutes * number))
        checkup = after(health, seen, ALERT_AFTER)
        health = checkup.health
        words += [event.kind.value + ("" if event.facts["over"] else "!") for event in checkup.events]
    return words


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ("ssnsn", []),
        ("srs", []),  # one refusal may concern one job
        ("srsrsrs", []),
        ("srrrrrr", ["login!"]),
        ("srrrrsrr", ["login!", "login", "login!"]),
        ("srrn", ["login!", "login"]),
        ("l", ["login!"]),
        ("lllls", ["login!", "login"]),
        ("f" * 10, []),
        ("f" * 11, ["api!"]),
        ("f" * 100, ["api!"]),
        ("b" * 11 + "s", ["api!", "api"]),
        ("t" * 11 + "s", ["api!", "api"]),
        ("ffbbttfbtffn", ["api!", "api"]),
        ("fffff" + "s" + "ffffff", []),
        ("f" * 11 + "rrr", ["api!", "api", "login!"]),  # a 401 shows that the API is there
        ("f" * 11 + "lll" + "s", ["api!", "login!", "login", "api"]),
        ("r" * 600, ["login!"]),  # all 401 for hours is one message, and none about the API
    ],
)
def test_edges_are_told_once(looks: str, expected: list[str]) -> None:
    assert told(looks) == expected


def test_the_api_counts_as_silent_from_the_first_request_without_an_answer() -> None:
    hung = Failed(at=START + timedelta(seconds=30), sent_at=START, reason="no answer within 30 s")
    health = after(Health(), hung, ALERT_AFTER).health
    assert overdue(health, START + ALERT_AFTER - timedelta(seconds=1), ALERT_AFTER).events == ()
    late = overdue(health, START + ALERT_AFTER, ALERT_AFTER)
    assert [event.kind.value for event in late.events] == ["api"]
    assert late.events[0].facts["reason"] == "no answer within 30 s"
    assert overdue(late.health, START + 2 * ALERT_AFTER, ALERT_AFTER).events == ()


def test_without_a_request_silence_is_no_trouble() -> None:
    assert overdue(Health(), START + timedelta(days=9), ALERT_AFTER).events == ()


def test_trouble_that_was_told_before_a_restart_is_not_told_again_but_its_end_is() -> None:
    restarted = Health(login=Login.REFUSED, api=ApiState.DOWN)
    still = after(restarted, LETTERS["f"](START), timedelta(0))
    assert still.events == ()
    good = after(still.health, LETTERS["s"](START), ALERT_AFTER)
    assert sorted(event.kind.value for event in good.events) == ["api", "login"]
    assert (good.health.login, good.health.api, good.health.last_good_at) == (Login.OK, ApiState.OK, START)
