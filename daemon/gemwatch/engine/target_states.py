"""Which targets accept messages: the dispatcher's memory, and how each attempt changes it."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.events import Missed, Target
from gemwatch.core.target_health import HEALTHY, Aftermath, SentText, TargetHealth, after, others_fail
from gemwatch.core.work import NotSent, Outcome, Sent
from gemwatch.engine.active_config import ActiveConfig

log = structlog.get_logger()


class TargetStates:
    """Loaded from the store at the start. Each attempt that changes a state also records it."""

    def __init__(self, *, active: ActiveConfig, clock: Clock) -> None:
        self._active = active
        self._clock = clock
        self._health: dict[str, TargetHealth] = {}
        self._targets: dict[str, Target] = {}

    def load(self, health: Mapping[str, TargetHealth], keep: Collection[str] = ()) -> None:
        """Take over what the store has. `keep`: targets whose state is known better here."""
        self._health = {**health, **{name: self._health[name] for name in keep if name in self._health}}
        self.follow_edits()

    def follow_edits(self) -> None:
        """Try a target with a new URL at once, regardless of the old URL's state."""
        targets = {target.name: target for target in self._active.settings.targets}
        if targets == self._targets:
            return
        for name, target in targets.items():
            before = self._targets.get(name)
            if before is not None and before.url != target.url and name in self._health:
                self._health[name] = self._health[name].retried()
        self._targets = targets

    def clock_jumped(self, by: timedelta) -> None:
        """After a jump of the wall clock, which the store's schedule follows in the same way."""
        self._health = {name: health.moved(by) for name, health in self._health.items()}

    def held(self, target: str, now: datetime) -> bool:
        """Whether the service asked to wait until a time that has not passed yet."""
        return self._of(target).held(now)

    def fallbacks(self, now: datetime) -> dict[str, str]:
        """The fallback of each target that is down and not due for another attempt."""
        return {
            name: fallback
            for name in self._targets
            if (health := self._of(name)).down
            and not health.probes_now(now)
            and (fallback := self._fallback(name)) is not None
        }

    def after(self, target: str, outcome: Outcome, text: SentText) -> Aftermath:
        """What an attempt changes. Record it first, then pass it to `take`."""
        now, settings = self._clock.now(), self._targets.get(target)
        step = after(
            self._of(target),
            target,
            outcome,
            now,
            others_fail=others_fail(target, self._health, self._targets),
            fallback=None if settings is None else settings.fallback,
        )
        arrived = isinstance(outcome, Sent) or outcome.unknown
        return Aftermath(
            target=target,
            health=None if step.health == self._of(target) else step.health,
            events=step.events,
            recovered_from=step.recovered_from,
            missed=Missed.NONE if settings is None else settings.missed,
            fallback=self._fallback(target) if step.health.down else None,
            text=text if arrived else None,
        )

    def take(self, aftermath: Aftermath, outcome: Outcome) -> None:
        """Remember the recorded change."""
        if aftermath.health is None:
            return
        target, before = aftermath.target, self._of(aftermath.target)
        self._health[target] = aftermath.health
        if aftermath.health.down and not before.down:
            reason = outcome.reason if isinstance(outcome, NotSent) else None
            log.error("target_down", target=target, reason=reason, fallback=aftermath.fallback)
        elif before.down and not aftermath.health.down:
            log.info("target_recovered", target=target, missed=aftermath.missed.value)

    def _of(self, target: str) -> TargetHealth:
        return self._health.get(target, HEALTHY)

    def _fallback(self, target: str) -> str | None:
        """The fallback of a target. None if that is down too: then the messages wait."""
        fallback = self._targets[target].fallback if target in self._targets else None
        usable = fallback is not None and fallback in self._targets and not self._of(fallback).down
        return fallback if usable else None
