"""Follows the health of login and API, and returns the changes to record and the events to send."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import structlog

from gemwatch.core.backoff import POLL_MOST
from gemwatch.core.clock import Clock
from gemwatch.core.events import Event
from gemwatch.core.health import (
    ASKED_UNTIL,
    DOUBTED_AFTER,
    PAUSED_UNTIL,
    ApiState,
    Health,
    HealthChange,
    Login,
    after,
    doubts_rate,
    overdue,
)
from gemwatch.core.job import NotFound, Refused, Seen, Throttled
from gemwatch.core.kinds import ApiFacts, LoginFacts, ServiceFacts
from gemwatch.core.listing import Listed, Listing
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.refused_jobs import RefusedJobs

log = structlog.get_logger()

_GOOD = Seen | NotFound | Listing  # answers that show that the login works
_SAME_PAUSE = timedelta(seconds=1)  # closer times are the same, so that the note is not written again and again
_UNTIL_ASKED_AGAIN = timedelta(minutes=2)  # more than the longest pause without a Retry-After


@dataclass(slots=True, kw_only=True)
class Change:
    """A change for the next transaction, so that a change of state and its events are recorded together."""

    events: list[Event] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


class _Asking(AbstractContextManager[None]):
    """Entered for each request. A class, because a generator for each of them is slower."""

    def __init__(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        self._begin, self._end = begin, end

    def __enter__(self) -> None:
        self._begin()

    def __exit__(self, *_: object) -> None:
        self._end()


class HealthMonitor:
    """The health of login and API. Notes keep it over a restart. Measures silence on the monotonic clock."""

    def __init__(self, *, active: ActiveConfig, clock: Clock, notes: Mapping[str, Any]) -> None:
        self._live = active
        self._clock = clock
        self._silent_from: float | None = None  # when the first request since the last answer was sent
        self._no_good_from: float | None = None  # when the first request since the last good answer was sent
        self._forbidden_for_rate = False  # whether the last answer was a 403 for the rate
        self._asked_at = 0.0
        self._under_way = 0  # running requests
        self._asking = _Asking(self._begin, self._end)
        self._paused_until = _time(notes, PAUSED_UNTIL)  # as noted
        self.next_probe = 0.0  # while the login is refused, on the monotonic clock
        self.health = _from_notes(notes)
        self.refused_jobs = RefusedJobs(clock=clock, since=_time(notes, "many_refused_since"))
        self.last_good_at: datetime | None = None  # when the last good answer arrived
        self.last_good_sent_at: datetime | None = None  # when its request was sent

    @property
    def locked_out(self) -> bool:
        return self.health.login is Login.REFUSED

    @property
    def doubts_rate(self) -> bool:
        """Whether a 403 for the rate now counts as a refusal."""
        return doubts_rate(self._no_good_from, self._clock.monotonic())

    def asking(self) -> AbstractContextManager[None]:
        """Enter this for the duration of a request."""
        return self._asking

    def _begin(self) -> None:
        self._asked_at = self._clock.monotonic()
        if self._silent_from is None:
            self._silent_from = self._asked_at
        if self._no_good_from is None:
            self._no_good_from = self._asked_at
        self._under_way += 1

    def _end(self) -> None:
        self._under_way -= 1

    def succeed(self, notes: Mapping[str, Any], *, alone: bool) -> Change:
        """This replica leads from now on: continue with what the previous leader reported, about the login only if
        there can be no others: each replica has its own."""
        theirs, self._paused_until = _from_notes(notes), _time(notes, PAUSED_UNTIL)
        self.refused_jobs.since = self.refused_jobs.since or _time(notes, "many_refused_since")
        own = theirs if alone and not self.locked_out else self.health
        self.health = replace(
            self.health, api=theirs.api, api_since=theirs.api_since, login=own.login, login_since=own.login_since
        )
        known = own is not theirs and own.login is not Login.UNKNOWN
        return Change(notes=_to_notes(self.health) if known else {})

    def resume(self, notes: Mapping[str, Any]) -> None:
        """Continue a pause that the API asked the previous process for. Time without an answer counts from now on."""
        asked_until = _time(notes, ASKED_UNTIL)
        if asked_until is not None and self._live.pace.resume(asked_until - self._clock.now()):
            self._silent_from = self._no_good_from = self._clock.monotonic()
            self.health = replace(self.health, last_reason="the API asked to wait")

    def answered(self) -> None:
        """The API answered, possibly with a refusal."""
        self._silent_from = None

    def observe(self, seen: Listed, *, sent_at: datetime | None, sent: float, others: bool) -> Change:
        """Process a poll or a list. Its request was sent at `sent_at` (wall clock) and `sent` (monotonic seconds)."""
        good = isinstance(seen, _GOOD)
        if good:
            self.last_good_at, self.last_good_sent_at = seen.at, sent_at
            self._no_good_from = None
        if good or (isinstance(seen, Refused) and not seen.certain):
            self.answered()
        if sent_at is not None:
            self._forbidden_for_rate = isinstance(seen, Throttled) and seen.status == HTTPStatus.FORBIDDEN
        forbidden = isinstance(seen, Refused) and seen.status == HTTPStatus.FORBIDDEN
        if forbidden and self.refused_jobs.many and not self.locked_out and not self.doubts_rate:
            return Change()  # others have been answered a short while ago
        change = after(self.health, seen, sent=sent, now=self._clock.monotonic(), others=others)
        if isinstance(seen, Refused) and not self.locked_out and change.health.login is Login.REFUSED:
            if (event := self.refused_jobs.refuted(seen)) is not None:
                self.health = replace(self.health, refusals=0, refused_from=None)
                return self._take_many(event)
        elif self.locked_out and change.health.login is Login.OK:
            self.refused_jobs.login_recovered()
        return self._take(change)

    def refused_alone(self, job_id: int, seen: Refused) -> Change:
        """Process that a job was refused although others were answered."""
        return self._take_many(self.refused_jobs.add(job_id, seen))

    def check(self, *, others_poll: bool) -> Change:
        """Process that time has passed. `others_poll`: replicas whose login is not refused."""
        change = self._check()
        return Change(events=change.events, notes={**change.notes, **self._pause(others_poll=others_poll)})

    def _pause(self, *, others_poll: bool) -> dict[str, Any]:
        """A note, if it has changed until when nothing is polled: pages and commands show when polls are next."""
        now, asked = self._clock.now(), self._live.pace.asked_for
        left = asked
        if self.locked_out and not others_poll:
            left = max(left, self.next_probe - self._clock.monotonic())
        until, noted = now + timedelta(seconds=max(0.0, left)), self._paused_until or now
        if abs(max(noted, now) - until) <= _SAME_PAUSE:
            return {}
        self._paused_until = until
        return {PAUSED_UNTIL: until.isoformat(), ASKED_UNTIL: (now + timedelta(seconds=asked)).isoformat()}

    def _check(self) -> Change:
        if (event := self.refused_jobs.check()) is not None:
            return self._take_many(event)
        now, api = self._clock.monotonic(), self._live.settings.api
        if self._silent_from is None:
            return Change()
        expecting = self._under_way or self._live.pace.asked_to_wait
        if not expecting and now > self._asked_at + (POLL_MOST + api.timeout).total_seconds():
            self._silent_from = self._no_good_from = (
                None  # gemwatch sends no requests now, so silence is not a failure
            )
            return Change()
        silent_for = timedelta(seconds=now - self._silent_from)
        alert_after = self._live.settings.poll.alert_after
        if self._forbidden_for_rate:  # it turns into a refusal later, and one message is enough
            alert_after = max(alert_after, DOUBTED_AFTER + _UNTIL_ASKED_AGAIN)
        return self._take(overdue(self.health, self._clock.now(), silent_for, alert_after))

    def _take_many(self, event: Event | None) -> Change:
        if event is None:
            return Change()
        _log_edge(event)
        since = self.refused_jobs.since
        return Change(events=[event], notes={"many_refused_since": since and since.isoformat()})

    def _take(self, checkup: HealthChange) -> Change:
        if checkup.health is self.health and not checkup.events:  # the usual case
            return Change()
        before, self.health = self.health, checkup.health
        for event in checkup.events:
            _log_edge(event)
        edge = (before.login, before.api) != (self.health.login, self.health.api)
        causes = {name: value for event in checkup.events for name, value in _causes(event).items()}
        return Change(events=list(checkup.events), notes={**_to_notes(self.health), **causes} if edge else {})


def _log_edge(event: Event) -> None:
    if not isinstance(event.facts, ServiceFacts):
        return
    if event.facts.over:
        since = event.facts.since and event.facts.since.isoformat()
        log.info("component_recovered", component=event.kind.value, since=since)
    else:
        log.error("component_failed", component=event.kind.value, reason=event.facts.reason)


def _causes(event: Event) -> dict[str, Any]:
    """For pages and commands: why login or API fail, and what to do."""
    match event.facts:
        case LoginFacts(reason=reason, remedy=remedy):
            return {"login_reason": reason, "login_remedy": remedy}
        case ApiFacts(reason=reason, bad_answer=bad):
            return {"api_reason": reason, "api_form": bad}
    return {}


def _to_notes(health: Health) -> dict[str, Any]:
    return {
        "login": health.login.value,
        "login_since": health.login_since and health.login_since.isoformat(),
        "api": health.api.value,
        "api_since": health.api_since and health.api_since.isoformat(),
    }


def _from_notes(notes: Mapping[str, Any]) -> Health:
    return Health(
        login=Login(notes.get("login") or Login.UNKNOWN),
        login_since=_time(notes, "login_since"),
        api=ApiState(notes.get("api") or ApiState.UNKNOWN),
        api_since=_time(notes, "api_since"),
    )


def _time(notes: Mapping[str, Any], name: str) -> datetime | None:
    value = notes.get(name)
    return datetime.fromisoformat(value) if value else None
