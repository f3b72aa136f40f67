"""The health of login and API, and the events when it changes."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from gemwatch.core.events import Event
from gemwatch.core.job import Failed, NotFound, Refused, Seen, Throttled
from gemwatch.core.kinds import ApiFacts, LoginFacts
from gemwatch.core.listing import Listed, Listing

DOUBTED_AFTER = timedelta(minutes=10)  # after this long without a good answer, a 403 for the rate counts as a refusal
CERTAIN_FROM = 30  # consecutive refusals of all jobs, after which no other job's answer is needed
PAUSED_UNTIL = "polls_paused_until"  # the note with the time before which nothing is polled
ASKED_UNTIL = "api_asked_until"  # the note with the time until which the API asked to wait


class Login(StrEnum):
    UNKNOWN = "unknown"
    OK = "ok"
    REFUSED = "refused"

    @classmethod
    def _missing_(cls, _: object) -> "Login":
        """For a word that a newer version has written."""
        return cls.UNKNOWN


class ApiState(StrEnum):
    UNKNOWN = "unknown"
    OK = "ok"
    DOWN = "down"

    @classmethod
    def _missing_(cls, _: object) -> "ApiState":
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """`login` and `api` survive a restart, so that a change is reported once. The rest concerns this process."""

    login: Login = Login.UNKNOWN
    login_since: datetime | None = None
    api: ApiState = ApiState.UNKNOWN
    api_since: datetime | None = None
    refusals: int = 0  # consecutive, over all jobs
    refused_from: float | None = None  # when the first of them arrived, in monotonic seconds: only the order matters
    locked_from: float | None = None  # when the login was found refused, in monotonic seconds
    last_reason: str | None = None  # of the last request without a usable answer
    last_bad: bool = False  # whether there was an answer, in a form that gemwatch does not understand


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChange:
    """The new health, and the events to report."""

    health: Health
    events: tuple[Event, ...] = ()


def doubts_rate(no_good_from: float | None, now: float) -> bool:
    """Whether a 403 for the rate counts as a refusal `now`: since when there was no good answer, in seconds."""
    return no_good_from is not None and now - no_good_from >= DOUBTED_AFTER.total_seconds()


def after(health: Health, seen: Listed, *, sent: float, now: float, others: bool) -> HealthChange:
    """The health after the answer to a request. `sent` and `now` are monotonic seconds.

    A 401 or 403 shows that the API answers. Only an answer about a job shows that the login works, and only if its
    request was sent after the refusal. A single refusal may concern a single job. So the login counts as refused if
    there is no token; if there are no `others`, that is unrefused jobs whose polls could show that the login works;
    or after many consecutive refusals.
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
    """The health after time without a good answer: reports once that this has lasted for `alert_after`."""
    if health.api is ApiState.DOWN or silent_for < alert_after:
        return HealthChange(health=health)
    since = now - silent_for
    reason = health.last_reason or "no answer so far"
    facts = ApiFacts(over=False, reason=reason, since=since, bad_answer=health.last_bad)
    event = Event(at=now, facts=facts)
    return HealthChange(health=replace(health, api=ApiState.DOWN, api_since=since), events=(event,))


def _good(health: Health, at: datetime, sent: float) -> HealthChange:
    if health == _SOUND:  # the usual case: nothing changes
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
    if not seen.certain:  # the API sent the refusal, so it answers
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
