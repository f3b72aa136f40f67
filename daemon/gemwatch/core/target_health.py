"""Whether a target accepts messages: a state per target, updated by every attempt, that survives restarts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gemwatch.core.backoff import THROTTLED_MOST
from gemwatch.core.events import Event, Missed
from gemwatch.core.kinds import TargetFacts
from gemwatch.core.work import AttemptFailure, NotSent, Outcome, Sent, retry_pause

REFUSALS_APART = timedelta(minutes=1)  # after two permanent refusals this far apart, the target is down
FAILS_FOR = timedelta(minutes=10)  # after attempts without an accepted message for this long, the target is down
PAIR_EVERY = timedelta(minutes=10)  # report at most one failure and one recovery in this time
_TIMES = ("failing_since", "refused_at", "down_since", "probe_at", "hold_until", "announced_at")
PROBE_FIRST, PROBE_MOST = timedelta(minutes=1), timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """`failing_since`: the first failed attempt since the last accepted message.

    `refused_at`: the first permanent refusal since then. While the target is down (`down_since`), its messages go to
    the fallback; from `probe_at` on, the next one is tried on the target first. `hold_until`: the service asked to
    wait until then. `announced_at`: when the last `target` event about a failure was recorded. `announced`: that
    event was about the present failure.
    """

    failing_since: datetime | None = None
    refused_at: datetime | None = None
    down_since: datetime | None = None
    reason: str | None = None
    probes: int = 0
    probe_at: datetime | None = None
    hold_until: datetime | None = None
    announced_at: datetime | None = None
    announced: bool = False

    @property
    def down(self) -> bool:
        return self.down_since is not None

    def held(self, now: datetime) -> bool:
        """Whether the service asked to wait until later than now. Never longer than it may ask for."""
        return self.hold_until is not None and now < self.hold_until <= now + THROTTLED_MOST

    def probes_now(self, now: datetime) -> bool:
        """Whether the target is down and the next message is tried on it first."""
        return self.probe_at is None or not now < self.probe_at <= now + PROBE_MOST

    def moved(self, by: timedelta) -> "TargetHealth":
        """The health after a jump of the clock: every time keeps its distance from now."""
        times = {name: getattr(self, name) for name in _TIMES}
        return replace(self, **{name: at + by for name, at in times.items() if at is not None})

    def retried(self) -> "TargetHealth":
        """The health after a change of the URL: the next message shows whether that helped."""
        return replace(self, probe_at=None, hold_until=None, probes=0)


HEALTHY = TargetHealth()


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStep:
    """A target's health after an attempt. `recovered_from`: since when it had been down, if it recovered."""

    health: TargetHealth
    events: tuple[Event, ...] = ()
    recovered_from: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SentText:
    """A message as it was sent, in the format that the service received, and the deliveries that it carried."""

    carried: tuple[int, ...]
    title: str
    body: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aftermath:
    """What an attempt changes besides its deliveries, recorded in the same transaction.

    `health` None: unchanged. `recovered_from`: since when the target had been down; `missed` says which rerouted
    messages it receives. `fallback`: the target's waiting deliveries go there. `text`: the message to keep.
    """

    target: str
    health: TargetHealth | None = None
    events: tuple[Event, ...] = ()
    recovered_from: datetime | None = None
    missed: Missed = Missed.NONE
    fallback: str | None = None
    text: SentText | None = None


def after(
    health: TargetHealth, target: str, outcome: Outcome, now: datetime, *, others_fail: bool, fallback: str | None
) -> HealthStep:
    """The target's health after an attempt to send.

    `others_fail`: every other target fails too, so the cause is the network and the target does not count as down.
    `fallback`: where the target's messages go while it is down.
    """
    if isinstance(outcome, Sent):
        return _accepted(health, target, now)
    if outcome.failure is AttemptFailure.REMOVED:
        return HealthStep(health=health)
    failing = _failing(health, outcome, now)
    if not failing.down:
        if others_fail or not _is_down(failing, outcome, now):
            return HealthStep(health=failing)
        failing = replace(failing, down_since=now, announced=False)
    probes = failing.probes + 1
    failing = replace(failing, probes=probes, probe_at=now + _probe_pause(probes))
    if failing.announced or not _may_announce(failing, now):
        return HealthStep(health=failing)
    since, reason = failing.failing_since, outcome.reason
    event = Event(at=now, facts=TargetFacts(over=False, since=since, reason=reason, target=target, fallback=fallback))
    return HealthStep(health=replace(failing, announced=True, announced_at=now), events=(event,))


def others_fail(target: str, healths: Mapping[str, TargetHealth], targets: Iterable[str]) -> bool:
    """Whether there are other targets that are not down, and all of them are failing now."""
    others = [healths.get(name, HEALTHY) for name in targets if name != target]
    alive = [health for health in others if not health.down]
    return bool(alive) and all(health.failing_since is not None for health in alive)


def _accepted(health: TargetHealth, target: str, now: datetime) -> HealthStep:
    fresh = TargetHealth(announced_at=health.announced_at)
    if not health.announced:
        return HealthStep(health=fresh, recovered_from=health.down_since)
    event = Event(at=now, facts=TargetFacts(over=True, since=health.down_since, target=target))
    return HealthStep(health=fresh, events=(event,), recovered_from=health.down_since)


def _failing(health: TargetHealth, outcome: NotSent, now: datetime) -> TargetHealth:
    """The health after a failure. Times in the future stem from a clock that was set back: they count from now."""
    refused = outcome.failure is AttemptFailure.REFUSED
    first_refusal = min(health.refused_at or now, now) if refused or health.refused_at else None
    hold = now + retry_pause(1, outcome) if outcome.failure is AttemptFailure.THROTTLED else None
    return replace(
        health,
        failing_since=min(health.failing_since or now, now),
        refused_at=first_refusal,
        reason=outcome.reason,
        hold_until=hold,
    )


def _is_down(failing: TargetHealth, outcome: NotSent, now: datetime) -> bool:
    refused = outcome.failure is AttemptFailure.REFUSED and failing.refused_at is not None
    if refused and failing.refused_at is not None and now - failing.refused_at >= REFUSALS_APART:
        return True
    return failing.failing_since is not None and now - failing.failing_since >= FAILS_FOR


def _may_announce(health: TargetHealth, now: datetime) -> bool:
    return health.announced_at is None or not health.announced_at <= now < health.announced_at + PAIR_EVERY


def _probe_pause(probes: int) -> timedelta:
    return min(PROBE_MOST, PROBE_FIRST * (1 << min(probes - 1, 10)))
