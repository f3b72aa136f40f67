"""Login and API: each change is reported once."""

from datetime import UTC, datetime, timedelta

import pytest

from gemwatch.core.health import CERTAIN_FROM, ApiState, Health, Login, after, overdue
from gemwatch.core.job import Failed, JobDetails, NotFound, Observation, Refused, Seen, Throttled
from gemwatch.core.kinds import ApiFacts, LoginFacts, ServiceFacts
from gemwatch.core.refusals import Culprit

START = datetime(2026, 2, 18, 12, tzinfo=UTC)
ALERT_AFTER = timedelta(minutes=10)
LETTERS = {
    "s": lambda at: Seen(at=at, job=JobDetails(job_id=7, status="REQUESTED"), raw="{}"),
    "n": lambda at: NotFound(at=at),
    "r": lambda at: Refused(at=at, reason="HTTP 401"),
    "l": lambda at: Refused(at=at, reason="no token", certain=True),
    "t": lambda at: Throttled(at=at),
    "f": lambda at: Failed(at=at, sent_at=at, reason="HTTP 500"),
    "b": lambda at: Failed(at=at, sent_at=at, reason="HTML", bad=True),
}


def told(polls: str, *, others: bool = False, minutes: float = 1) -> list[str]:
    """The events after these polls at such intervals: `login!` for a failure, `login` for its recovery."""
    health, words, silent_from = Health(), [], None
    for number, letter in enumerate(polls):
        at = START + timedelta(minutes=minutes * number)
        seen: Observation = LETTERS[letter](at)
        if letter in "snr":
            silent_from = None
        elif letter != "l":
            silent_from = silent_from or at
        checkup = after(health, seen, sent=60.0 * number, now=60.0 * number, others=others)
        late = overdue(checkup.health, at, at - silent_from if silent_from else timedelta(0), ALERT_AFTER)
        health = late.health
        for event in (*checkup.events, *late.events):
            assert isinstance(event.facts, ServiceFacts)
            words.append(event.kind.value + ("" if event.facts.over else "!"))
    return words


@pytest.mark.parametrize(
    ("polls", "expected"),
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
        ("f" * 11 + "rrr", ["api!", "api", "login!"]),  # a 401 shows that the API answers
        ("f" * 11 + "lll" + "s", ["api!", "login!", "api", "login"]),
        ("r" * 600, ["login!"]),  # hours of 401 are one message, and none about the API
    ],
)
def test_each_change_is_reported_once(polls: str, expected: list[str]) -> None:
    assert told(polls) == expected


def test_one_refusal_among_many_jobs_is_not_enough() -> None:
    assert told("s" + "r" * (CERTAIN_FROM - 1), others=True) == []
    assert told("s" + "r" * CERTAIN_FROM, others=True) == ["login!"]
    assert told("s" + ("r" * 5 + "s") * 9, others=True) == []


def test_answer_to_an_earlier_request_ends_no_refusal() -> None:
    refused = after(Health(), LETTERS["l"](START), sent=0, now=100, others=False).health
    still = after(refused, LETTERS["s"](START), sent=99, now=101, others=False)
    assert (still.health.login, still.events) == (Login.REFUSED, ())
    over = after(still.health, LETTERS["s"](START), sent=101, now=102, others=False)
    assert over.health.login is Login.OK
    assert [event.facts for event in over.events] == [LoginFacts(over=True, since=START)]


def test_silence_without_any_answer_has_a_reason_too() -> None:
    checkup = overdue(Health(), START, ALERT_AFTER, ALERT_AFTER)
    facts = checkup.events[0].facts
    assert facts == ApiFacts(over=False, reason="no answer so far", since=START - ALERT_AFTER)
    assert overdue(checkup.health, START, 2 * ALERT_AFTER, ALERT_AFTER).events == ()


@pytest.mark.parametrize(("last", "bad"), [("b", True), ("f", False), ("t", False)])
def test_unreadable_api_differs_from_a_silent_one(last: str, bad: bool) -> None:  # noqa: FBT001
    health = after(Health(), LETTERS[last](START), sent=0, now=1, others=False).health
    [event] = overdue(health, START, ALERT_AFTER, ALERT_AFTER).events
    assert isinstance(event.facts, ApiFacts)
    assert event.facts.bad_answer is bad


def test_refused_login_states_culprit_words_and_remedy() -> None:
    seen = Refused(
        at=START, reason='HTTP 401: "no"', culprit=Culprit.KEY, status=401, words="no", remedy="Check api.key."
    )
    health = after(Health(), seen, sent=0, now=1, others=False).health
    [event] = after(health, seen, sent=2, now=3, others=False).events
    assert event.facts == LoginFacts(
        over=False,
        reason='HTTP 401: "no"',
        since=START,
        culprit=Culprit.KEY,
        http_status=401,
        words="no",
        remedy="Check api.key.",
    )


def test_poll_held_by_a_pause_changes_nothing() -> None:
    paused = after(Health(), Throttled(at=START, status=503), sent=0, now=1, others=False).health
    assert paused.last_reason == "HTTP 503 Service Unavailable: the API asks to wait"
    assert after(paused, Throttled(at=START, asked=False), sent=0, now=2, others=False).health == paused


def test_failure_is_reported_once_over_a_restart() -> None:
    restarted = Health(login=Login.REFUSED, api=ApiState.DOWN)
    assert overdue(restarted, START, timedelta(days=1), ALERT_AFTER).events == ()
    good = after(restarted, LETTERS["s"](START), sent=0, now=1, others=False)
    assert sorted(event.kind.value for event in good.events) == ["api", "login"]
    assert (good.health.login, good.health.api) == (Login.OK, ApiState.OK)
