"""The work that the engine claims from the store and reports back: polls and deliveries."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import blake2b
from operator import attrgetter

from gemwatch.core.backoff import THROTTLED_LEAST, THROTTLED_MOST, delivery_pause
from gemwatch.core.events import Event
from gemwatch.core.polls.tracked import Memory, Tracked, Verdict
from gemwatch.core.runs import Run

KEEP_TRYING = timedelta(hours=48)  # how long to retry a delivery
MANY = 5  # if more deliveries than this wait for one target, they become one summary
MOST_IN_SUMMARY = 50
MOST_WAITING = 2_000  # reports with events that may wait for polls, some seconds' worth
_besides_seen_at = attrgetter(*(field.name for field in fields(Memory) if field.name != "seen_at"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchClaim:
    """A due watch, claimed until the lease ends. Its report must have the same `claim`.

    `fingerprint`: of the stored last answer about the job.
    """

    tracked: Tracked
    claim: datetime
    due_at: datetime
    fingerprint: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A poll to record. It is recorded only if its claim is still valid: an unwatched job stays unchanged.

    `fingerprint`: of an answer that differs from the stored one, else None. `quiet`: only the times of the poll are
    new, as for most polls, so there is less to write.
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


def record_first(waiting: Sequence[Report]) -> tuple[list[Report], list[Report]]:
    """The reports to record now, while due jobs still wait for a poll, and those to record later.

    Events cost more than polls. Of thousands that come at once, each transaction records as many as fit into a
    message, so that polls of other jobs do not wait for all of them. More than MOST_WAITING never wait.
    """
    eventful = [report for report in waiting if report.verdict.events]
    now = eventful[: max(MOST_IN_SUMMARY, len(eventful) - MOST_WAITING)]
    return [report for report in waiting if not report.verdict.events] + now, eventful[len(now) :]


def fingerprint(raw: str) -> int:
    """A 63-bit hash of an answer, so that a claim does not need to load the stored answer to compare it."""
    digest = blake2b(raw.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event as it was recorded, and the names of the targets that receive it."""

    event_id: int
    event: Event
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The result of recording: the reports with valid claims and news, and the events.

    `runs` are those that ended with these polls.
    """

    reports: tuple[Report, ...] = ()
    events: tuple[RecordedEvent, ...] = ()
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovered:
    """The watches that a list added, each with its rule's key, and the keys of the rules that may add no more."""

    added: tuple[tuple[int, str], ...] = ()
    full: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one target, claimed for an attempt. `attempts`: the number of earlier ones."""

    id: int
    event_id: int
    event: Event
    attempts: int
    expires_at: datetime
    claim: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The next deliveries for one target, oldest first: one, or several for a summary.

    `missed`: they went to the fallback while the target was down, and become one message.
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
    """The service accepted the message."""


class AttemptFailure(StrEnum):
    """The kind of a failed attempt, which determines what gemwatch does next."""

    TEMPORARY = "temporary"  # or unknown: retry after a growing pause
    THROTTLED = "throttled"  # 429: send nothing to the target for at least a minute
    REFUSED = "refused"  # 404, 410, SMTP 5xx on login or sender: the target itself no longer works
    REMOVED = "removed"  # the configuration no longer has the target


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSent:
    """The service did not accept the message. `unknown`: it may have, so a retry may deliver it twice.

    `retry_after`: how long the service asks to wait.
    """

    reason: str
    unknown: bool = False
    failure: AttemptFailure = AttemptFailure.TEMPORARY
    retry_after: timedelta | None = None


Outcome = Sent | NotSent


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The result of an attempt, to record. `due_at` None: there are no more attempts."""

    id: int
    claim: datetime
    state: DeliveryState
    attempts: int
    due_at: datetime | None = None
    sent_at: datetime | None = None
    last_error: str | None = None


def settle(delivery: Delivery, outcome: Outcome, now: datetime, *, jumped: timedelta = timedelta()) -> Settled:
    """Settle an attempt: sent, another one after a growing pause, or failed after 48 hours.

    The last attempt is at the end of this time, so that a target that was down until then still gets its message.
    `jumped`: by how much the clock has jumped since the delivery was read.
    """
    attempts = delivery.attempts + 1
    if isinstance(outcome, Sent):
        return Settled(id=delivery.id, claim=delivery.claim, state=DeliveryState.SENT, attempts=attempts, sent_at=now)
    expires_at = delivery.expires_at + jumped
    over = now >= expires_at
    return Settled(
        id=delivery.id,
        claim=delivery.claim,
        state=DeliveryState.FAILED if over else DeliveryState.PENDING,
        attempts=attempts,
        due_at=None if over else min(now + retry_pause(attempts, outcome), expires_at),
        last_error=outcome.reason,
    )


def retry_pause(attempts: int, outcome: NotSent) -> timedelta:
    """The pause after the failed attempt number `attempts`. A service may ask for a longer one, within limits."""
    pause = delivery_pause(attempts)
    if outcome.failure is not AttemptFailure.THROTTLED and outcome.retry_after is None:
        return pause
    return max(pause, THROTTLED_LEAST, min(outcome.retry_after or THROTTLED_LEAST, THROTTLED_MOST))


def postpone(delivery: Delivery, until: datetime) -> Settled:
    """A claimed delivery returned without an attempt, because the previous one failed or the time ran out."""
    return Settled(
        id=delivery.id,
        claim=delivery.claim,
        state=DeliveryState.PENDING,
        attempts=delivery.attempts,
        due_at=until,
    )
