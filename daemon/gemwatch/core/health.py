"""The service's own two states, login and API, and the events of their edges."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gemwatch.core.events import Event
from gemwatch.core.facts import ApiFacts, LoginFacts
from gemwatch.core.job import Failed, NotFound, Refused, Seen, Throttled
from gemwatch.core.listing import Listed, Listing

DOUBTED_AFTER = timedelta(minutes=10)  # without any good answer, a 403 for rate counts as a refusal
CERTAIN_FROM = 30  # refusals in a row, over all jobs: nobody waits for a witness any longer


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
    refused_from: float | None = None  # when the first of them came, in monotonic seconds: what counts is the order
    locked_from: float | None = None  # when the login was found refused, likewise
    last_reason: str | None = None  # of the last request without a usable answer
    last_bad: bool = False  # whether there was an answer, in a form that gemwatch does not understand


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChange:
    """Health after something happened, and what that gives to tell."""

    health: Health
    events: tuple[Event, ...] = ()


def after(health: Health, seen: Listed, *, sent: float, now: float, others: bool) -> HealthChange:
    """Health after the answer to a request. When it was `sent`, and `now`, are monotonic seconds.

    A 401 or 403 shows that the API is there; whether the login works, only an answer about a job shows, and
    only if its request was sent after the refusal. One refusal may concern one job only. So the login counts as
    refused at once where no token could be had; else when there are no `others`, jobs that have not been
    refused and could bear witness; or when there have been many refusals in a row.
    """
    match seen:
        case Seen() | NotFound() | Listing():
            return _good(health, seen.at, sent)
        case Refused():
            return _refused(health, seen, now, others=others)
        case Throttled(asked=False):
            return HealthChange(health=health)
        case Throttled() | Failed():
            bad = isinstance(seen, Failed) and seen.bad
            return HealthChange(health=replace(health, last_reason=seen.reason, last_bad=bad))


def overdue(health: Health, now: datetime, silent_for: timedelta, alert_after: timedelta) -> HealthChange:
    """Health as time passes without a good answer: tells once that it has been so for `alert_after`."""
    if health.api is ApiState.DOWN or silent_for < alert_after:
        return HealthChange(health=health)
    since = now - silent_for
    reason = health.last_reason or "no answer so far"
    facts = ApiFacts(over=False, reason=reason, since=since, bad_answer=health.last_bad)
    event = Event(at=now, facts=facts)
    return HealthChange(health=replace(health, api=ApiState.DOWN, api_since=since), events=(event,))


def _good(health: Health, at: datetime, sent: float) -> HealthChange:
    if health == _SOUND:  # as nearly always: nothing is new
        return HealthChange(health=health)
    events = _api_over(health, at)
    fresh = replace(health, api=ApiState.OK, api_since=None, last_reason=None, last_bad=False)
    if health.refused_from is None or sent > health.refused_from:
        fresh = replace(fresh, refusals=0, refused_from=None)
    if health.login is Login.UNKNOWN:
        fresh = replace(fresh, login=Login.OK)
    elif health.login is Login.REFUSED and (health.locked_from is None or sent > health.locked_from):
        events += (Event(at=at, facts=LoginFacts(over=True, since=health.login_since)),)
        fresh = replace(fresh, login=Login.OK, login_since=None, locked_from=None, refusals=0, refused_from=None)
    return HealthChange(health=fresh, events=events)


def _refused(health: Health, seen: Refused, now: float, *, others: bool) -> HealthChange:
    events: tuple[Event, ...] = ()
    first = now if health.refused_from is None else health.refused_from
    fresh = replace(health, refusals=health.refusals + 1, refused_from=first)
    if not seen.certain:  # the API itself said so: it answers
        events += _api_over(health, seen.at)
        fresh = replace(fresh, api=ApiState.OK, api_since=None, last_reason=None, last_bad=False)
    certain = seen.certain or fresh.refusals >= CERTAIN_FROM or (fresh.refusals > 1 and not others)
    if certain and health.login is not Login.REFUSED:
        fresh = replace(fresh, login=Login.REFUSED, login_since=seen.at, locked_from=now)
        events += (Event(at=seen.at, facts=LoginFacts.of(seen, since=seen.at)),)
    return HealthChange(health=fresh, events=events)


def _api_over(health: Health, at: datetime) -> tuple[Event, ...]:
    return (Event(at=at, facts=ApiFacts(over=True, since=health.api_since)),) if health.api is ApiState.DOWN else ()


_SOUND = Health(login=Login.OK, api=ApiState.OK)
