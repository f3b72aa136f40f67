"""What the engine claims from the store and gives back: polls to make, deliveries to send."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from operator import attrgetter

from gemwatch.core.backoff import THROTTLED_LEAST, THROTTLED_MOST, delivery_pause
from gemwatch.core.events import Event
from gemwatch.core.polls.tracked import Memory, Tracked, Verdict
from gemwatch.core.runs import Run

KEEP_TRYING = timedelta(hours=48)  # how long a delivery is retried
MANY = 5  # more than this many deliveries that wait for one target go out as one summary
MOST_IN_SUMMARY = 50
_besides_seen_at = attrgetter(*(field.name for field in fields(Memory) if field.name != "seen_at"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchClaim:
    """A due watch, ours until the lease ends. `claim` is the ticket that its report must show.

    `fingerprint`: that of the last answer about the job, as stored.
    """

    tracked: Tracked
    claim: datetime
    due_at: datetime
    fingerprint: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One poll to be recorded. Recorded only while the claim still stands: an unwatched job stays as it is.

    `fingerprint`: that of an answer which differs from the stored one, else None. `quiet`: nothing but the times of
    the poll is new, as with most polls, and there is less to write.
    """

    claim: datetime
    at: datetime
    verdict: Verdict
    fingerprint: int | None = None
    quiet: bool = False


def report_on(claim: WatchClaim, at: datetime, verdict: Verdict) -> Report:
    """The report on a claimed watch that was polled."""
    found = None if verdict.seen is None else fingerprint(verdict.seen.raw)
    new = None if found == claim.fingerprint else found
    quiet = (
        new is None
        and not (verdict.transition or verdict.events)
        and _besides_seen_at(verdict.memory) == _besides_seen_at(claim.tracked.memory)
    )
    return Report(claim=claim.claim, at=at, verdict=verdict, fingerprint=new, quiet=quiet)


def fingerprint(raw: str) -> int:
    """63 bits by which an answer is recognized, so that a claim need not load the stored one to compare them."""
    digest = blake2b(raw.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """An event as it was recorded, and the names of the targets that receive it."""

    event_id: int
    event: Event
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The result of recording: the reports whose claims still stood and that held news, and the events.

    `runs` are those that ended with these polls.
    """

    reports: tuple[Report, ...] = ()
    told: tuple[Told, ...] = ()
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event to one target, claimed for an attempt. `attempts` are those before this one."""

    id: int
    event_id: int
    event: Event
    attempts: int
    expires_at: datetime
    claim: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What goes to one target next, oldest first: one delivery, or several for a summary.

    `missed`: it went to the fallback while the target was down, and all of it is one message.
    """

    target: str
    deliveries: tuple[Delivery, ...]
    missed: bool = False


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    REROUTED = "rerouted"  # the fallback has the event instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """The service took the message."""


class Failure(StrEnum):
    """Why a service did not accept a message, as far as that changes what gemwatch does next."""

    TEMPORARY = "temporary"  # or not recognised: retried after a growing pause
    THROTTLED = "throttled"  # 429: at least a minute passes before anything else goes to the target
    REFUSED = "refused"  # 404, 410, SMTP 5xx on login or sender: the target itself no longer works
    REMOVED = "removed"  # the configuration no longer has the target: says nothing about the service


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The service did not accept it, or (`unknown`) nobody can tell, and a retry may deliver it twice.

    `retry_after`: how long the service asks to wait.
    """

    reason: str
    unknown: bool = False
    failure: Failure = Failure.TEMPORARY
    retry_after: timedelta | None = None


Outcome = Sent | NotSent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """How an attempt ended, as it is to be recorded. `due_at` None: there is no further attempt."""

    id: int
    claim: datetime
    state: DeliveryState
    attempts: int
    due_at: datetime | None = None
    sent_at: datetime | None = None
    last_error: str | None = None


def settle(delivery: Delivery, outcome: Outcome, now: datetime) -> Settled:
    """What an attempt means: sent, another one after a growing pause, or failed once its time is over.

    The last attempt is made when the time ends, so that a target that was down until then gets its message.
    """
    attempts = delivery.attempts + 1
    if isinstance(outcome, Sent):
        return Settled(id=delivery.id, claim=delivery.claim, state=DeliveryState.SENT, attempts=attempts, sent_at=now)
    over = now >= delivery.expires_at
    return Settled(
        id=delivery.id,
        claim=delivery.claim,
        state=DeliveryState.FAILED if over else DeliveryState.PENDING,
        attempts=attempts,
        due_at=None if over else min(now + retry_pause(attempts, outcome), delivery.expires_at),
        last_error=outcome.reason,
    )


def retry_pause(attempts: int, outcome: NotSent) -> timedelta:
    """The pause after the failed attempt number `attempts`: what the service asks for counts, within limits."""
    pause = delivery_pause(attempts)
    if outcome.failure is not Failure.THROTTLED and outcome.retry_after is None:
        return pause
    return max(pause, THROTTLED_LEAST, min(outcome.retry_after or THROTTLED_LEAST, THROTTLED_MOST))


def postpone(delivery: Delivery, until: datetime) -> Settled:
    """A claimed delivery given back untried, because the one before it to the same target failed, or time ran out."""
    return Settled(
        id=delivery.id,
        claim=delivery.claim,
        state=DeliveryState.PENDING,
        attempts=delivery.attempts,
        due_at=until,
    )
