"""The service's health as it goes along: what is to be written down of it, and told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.events import Event, audience
from gemwatch.core.health import ApiState, Checkup, Health, Login, after, overdue
from gemwatch.core.job import Observation
from gemwatch.core.work import Addressed
from gemwatch.engine.live import Live

log = structlog.get_logger()


@dataclass(slots=True, kw_only=True)
class Change:
    """What goes into the next transaction, so that an edge and its messages are recorded together."""

    messages: list[Addressed] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


class Vitals:
    """Login and API. The edges survive a restart through the notes."""

    def __init__(self, live: Live, clock: Clock, notes: Mapping[str, Any]) -> None:
        self._live = live
        self._clock = clock
        self.health = _from_notes(notes)

    def observe(self, seen: Observation) -> Change:
        """Take in one look."""
        return self._take(after(self.health, seen, self._live.settings.poll.alert_after))

    def check(self) -> Change:
        """Take in that time passes."""
        return self._take(overdue(self.health, self._clock.now(), self._live.settings.poll.alert_after))

    @property
    def locked_out(self) -> bool:
        return self.health.login is Login.REFUSED

    def _take(self, checkup: Checkup) -> Change:
        before, self.health = self.health, checkup.health
        change = Change(messages=[self._addressed(event) for event in checkup.events])
        if (before.login, before.api) != (self.health.login, self.health.api):
            change.notes = _to_notes(self.health)
        return change

    def _addressed(self, event: Event) -> Addressed:
        targets = audience(event, self._live.settings.targets)
        if event.facts["over"]:
            log.info("works again", what=event.kind.value, down_since=event.facts["since"], told=targets)
        else:
            log.error("in trouble", what=event.kind.value, reason=event.facts["reason"], told=targets)
        return Addressed(event=event, targets=targets)


def _to_notes(health: Health) -> dict[str, Any]:
    return {
        "login": health.login.value,
        "login_since": health.login_since and health.login_since.isoformat(),
        "api": health.api.value,
        "api_since": health.api_since and health.api_since.isoformat(),
    }


def _from_notes(notes: Mapping[str, Any]) -> Health:
    def time(name: str) -> datetime | None:
        value = notes.get(name)
        return datetime.fromisoformat(value) if value else None

    return Health(
        login=Login(notes.get("login") or Login.UNKNOWN),
        login_since=time("login_since"),
        api=ApiState(notes.get("api") or ApiState.UNKNOWN),
        api_since=time("api_since"),
    )
