"""When a target counts as down and as recovered, and what is reported about it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from gemwatch.core.events import Event
from gemwatch.core.kinds import TargetFacts
from gemwatch.core.target_health import (
    FAILS_FOR,
    HEALTHY,
    PAIR_EVERY,
    PROBE_MOST,
    REFUSALS_APART,
    TargetHealth,
    after,
    others_fail,
)
from gemwatch.core.work import AttemptFailure, NotSent, Outcome, Sent

START = datetime(2026, 2, 18, 12, tzinfo=UTC)
REFUSED = NotSent(reason="404", failure=AttemptFailure.REFUSED)
FAILED = NotSent(reason="503")


class Timeline:
    """The health of one target over a series of attempts."""

    def __init__(self, *, fallback: str | None = None) -> None:
        self.health, self.events = HEALTHY, list[Event]()
        self._fallback = fallback

    def attempt(self, seconds: float, outcome: Outcome, *, others: bool = False) -> "Timeline":
        step = after(
            self.health,
            "team",
            outcome,
            START + timedelta(seconds=seconds),
            others_fail=others,
            fallback=self._fallback,
        )
        self.health, self.recovered_from = step.health, step.recovered_from
        self.events += step.events
        return self

    @property
    def reported(self) -> list[bool]:
        """For each event whether it reports a recovery."""
        return [event.facts.over for event in self.events if isinstance(event.facts, TargetFacts)]


def test_two_refusals_a_minute_apart_mean_down() -> None:
    timeline = Timeline(fallback="mail").attempt(0, REFUSED).attempt(59, REFUSED)
    assert not timeline.health.down
    timeline.attempt(REFUSALS_APART.total_seconds(), REFUSED)
    assert timeline.health.down
    [event] = timeline.events
    assert event.facts == TargetFacts(over=False, target="team", reason="404", since=START, fallback="mail")


def test_refusal_and_a_failure_are_not_two_refusals() -> None:
    assert not Timeline().attempt(0, REFUSED).attempt(90, FAILED).health.down
    assert not Timeline().attempt(0, FAILED).attempt(90, REFUSED).health.down


def test_accepted_message_forgets_earlier_refusals() -> None:
    assert not Timeline().attempt(0, REFUSED).attempt(30, Sent()).attempt(90, REFUSED).health.down


def test_ten_minutes_of_failures_mean_down() -> None:
    timeline = Timeline().attempt(0, FAILED).attempt(FAILS_FOR.total_seconds() - 1, FAILED)
    assert not timeline.health.down
    assert timeline.attempt(FAILS_FOR.total_seconds(), FAILED).health.down


@pytest.mark.parametrize("outcome", [REFUSED, FAILED])
def test_nothing_is_declared_while_every_target_fails(outcome: NotSent) -> None:
    timeline = Timeline().attempt(0, outcome, others=True).attempt(3600, outcome, others=True)
    assert not timeline.health.down
    assert timeline.events == []
    assert timeline.attempt(3660, outcome).health.down


def test_removed_target_is_neither_down_nor_failing() -> None:
    removed = NotSent(reason="removed", failure=AttemptFailure.REMOVED)
    assert Timeline().attempt(0, removed).attempt(3600, removed).health == HEALTHY


def test_next_accepted_message_reports_the_recovery() -> None:
    timeline = Timeline().attempt(0, REFUSED).attempt(60, REFUSED).attempt(90, Sent())
    assert not timeline.health.down
    assert timeline.recovered_from == START + timedelta(seconds=60)
    assert timeline.reported == [False, True]
    assert timeline.events[1].facts == TargetFacts(over=True, target="team", since=START + timedelta(seconds=60))


def test_flapping_reports_one_pair_in_ten_minutes() -> None:
    timeline = Timeline()
    for start in range(0, 540, 90):
        timeline.attempt(start, REFUSED).attempt(start + 60, REFUSED).attempt(start + 80, Sent())
    assert timeline.reported == [False, True]


def test_failure_that_outlasts_the_pause_is_reported_late() -> None:
    timeline = Timeline().attempt(0, REFUSED).attempt(60, REFUSED).attempt(90, Sent())
    timeline.attempt(100, REFUSED).attempt(170, REFUSED)
    assert timeline.health.down
    assert timeline.reported == [False, True]
    timeline.attempt(60 + PAIR_EVERY.total_seconds(), REFUSED)
    assert timeline.reported == [False, True, False]
    assert timeline.attempt(700, Sent()).reported == [False, True, False, True]


def test_probes_come_ever_later_up_to_15_minutes() -> None:
    timeline, now, pauses = Timeline().attempt(0, REFUSED).attempt(60, REFUSED), 60.0, []
    for _ in range(7):
        assert timeline.health.probe_at is not None
        assert not timeline.health.probes_now(START + timedelta(seconds=now))
        pause = (timeline.health.probe_at - START).total_seconds() - now
        pauses.append(pause)
        now += pause
        assert timeline.health.probes_now(START + timedelta(seconds=now))
        timeline.attempt(now, REFUSED)
    assert pauses == [60, 120, 240, 480, PROBE_MOST.total_seconds(), 900, 900]
    assert timeline.reported == [False]


def test_changed_url_is_tried_at_once() -> None:
    health = Timeline().attempt(0, REFUSED).attempt(60, REFUSED).health
    assert health.retried().probes_now(START + timedelta(seconds=61))
    assert health.retried().down


@pytest.mark.parametrize(("retry_after", "held"), [(None, 60), (timedelta(minutes=10), 600)])
def test_throttled_target_is_held(retry_after: timedelta | None, held: float) -> None:
    outcome = NotSent(reason="429", failure=AttemptFailure.THROTTLED, retry_after=retry_after)
    health = Timeline().attempt(0, outcome).health
    assert health.held(START + timedelta(seconds=held - 1))
    assert not health.held(START + timedelta(seconds=held))


def test_clock_set_back_declares_nothing() -> None:
    timeline = Timeline().attempt(0, REFUSED).attempt(-7200, REFUSED)
    assert not timeline.health.down
    assert not timeline.attempt(-7150, REFUSED).health.down
    assert timeline.attempt(-7100, REFUSED).health.down


FAILING = TargetHealth(failing_since=START)
DOWN = TargetHealth(failing_since=START, down_since=START)


@pytest.mark.parametrize(
    ("healths", "network"),
    [
        ({}, False),
        ({"mail": FAILING}, True),
        ({"mail": FAILING, "chat": HEALTHY}, False),
        ({"mail": FAILING, "chat": FAILING}, True),
        ({"mail": DOWN}, False),
        ({"mail": DOWN, "chat": FAILING}, True),
    ],
)
def test_network_is_at_fault_when_all_others_fail(healths: Mapping[str, TargetHealth], *, network: bool) -> None:
    targets = ["team", *healths]
    assert others_fail("team", {"team": FAILING, **healths}, targets) is network


def test_time_that_is_too_far_away_holds_nothing_back() -> None:
    """It was written before the clock was set back."""
    tomorrow = START + timedelta(days=1)
    health = TargetHealth(down_since=START, probe_at=tomorrow, hold_until=tomorrow)
    assert health.probes_now(START)
    assert not health.held(START)
