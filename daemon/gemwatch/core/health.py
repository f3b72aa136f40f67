"""The service's own two states, login and API, and the events of their edges."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from gemwatch.core.events import Event, EventKind
from gemwatch.core.job import Failed, NotFound, Observation, Refused, Seen, Throttled


class Login(StrEnum):
    UNKNOWN = "unknown"
    OK = "ok"
    REFUSED = "refused"


class ApiState(StrEnum):
    UNKNOWN = "unknown"
    OK = "ok"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`login` and `api` outlive a restart, so that an edge is told once; the rest is about this process."""

    login: Login = Login.UNKNOWN
    login_since: datetime | None = None
    api: ApiState = ApiState.UNKNOWN
    api_since: datetime | None = None
    refusals: int = 0  # in a row, over all jobs
    failing_since: datetime | None = None  # when the first request without a usable answer was sent
    last_reason: str | None = None
    last_good_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """Health after something happened, and what that gives to tell."""

    health: Health
    events: tuple[Event, ...] = ()


def after(health: Health, seen: Observation, alert_after: timedelta) -> Checkup:
    """Health after one look at any job.

    A 401 or 403 shows that the API is there; whether the login works, only an answer about a job shows. One
    refusal alone may concern a single job, so a login counts as refused from the second one in a row on, or
    at once when no token could be had.
    """
    match seen:
        case Seen() | NotFound():
            return _good(health, seen.at)
        case Refused():
            return _refused(health, seen)
        case Throttled():
            return overdue(_failing(health, seen.at, "HTTP 429: the API asks to wait"), seen.at, alert_after)
        case Failed():
            return overdue(_failing(health, seen.sent_at, seen.reason), seen.at, alert_after)
    assert_never(seen)


def overdue(health: Health, now: datetime, alert_after: timedelta) -> Checkup:
    """Health as time passes: tells once that there has been no good answer for `alert_after`."""
    since = health.failing_since
    if health.api is ApiState.DOWN or since is None or now - since < alert_after:
        return Checkup(health=health)
    event = Event(
        kind=EventKind.API,
        at=now,
        facts={"over": False, "reason": health.last_reason, "since": since.isoformat()},
    )
    return Checkup(health=replace(health, api=ApiState.DOWN, api_since=since), events=(event,))


def _failing(health: Health, since: datetime, reason: str) -> Health:
    # Not max(): after a clock step back the earlier time would be a time that has not come yet.
    return replace(health, failing_since=health.failing_since or since, last_reason=reason)


def _good(health: Health, at: datetime) -> Checkup:
    events: tuple[Event, ...] = ()
    if health.login is Login.REFUSED:
        events += (_over(EventKind.LOGIN, at, health.login_since),)
    if health.api is ApiState.DOWN:
        events += (_over(EventKind.API, at, health.api_since),)
    return Checkup(health=Health(login=Login.OK, api=ApiState.OK, last_good_at=at), events=events)


def _refused(health: Health, seen: Refused) -> Checkup:
    events: tuple[Event, ...] = ()
    if health.api is ApiState.DOWN and not seen.certain:
        events += (_over(EventKind.API, seen.at, health.api_since),)
    now = replace(health, refusals=health.refusals + 1)
    if not seen.certain:  # the API itself said so: it answers
        now = replace(now, api=ApiState.OK, api_since=None, failing_since=None, last_reason=None)
    if now.login is not Login.REFUSED and (seen.certain or now.refusals > 1):
        now = replace(now, login=Login.REFUSED, login_since=seen.at)
        facts = {"over": False, "reason": seen.reason, "since": seen.at.isoformat()}
        events += (Event(kind=EventKind.LOGIN, at=seen.at, facts=facts),)
    return Checkup(health=now, events=events)


def _over(kind: EventKind, at: datetime, since: datetime | None) -> Event:
    return Event(kind=kind, at=at, facts={"over": True, "since": None if since is None else since.isoformat()})
