"""The facts of an event: one class per kind of event.

The store keeps these as JSON (adapters/store/facts_codec.py). A new field needs a default, so that this version can
still read events from an older version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from gemwatch.core.estimates.estimate import Estimate
from gemwatch.core.job import JobDetails, Refused
from gemwatch.core.kinds import EventKind, UnknownKind
from gemwatch.core.limits import Bound
from gemwatch.core.refusals import Culprit


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that was requested differently than for the previous run."""

    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousRun:
    """The last SUCCESS on the same input; ratios are 0 to 1."""

    job_id: int
    ended_at: datetime
    matched: float | None = None
    roads: int | None = None
    kilometres: float | None = None
    ran: timedelta | None = None
    changed: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The common facts of all events about a job's run. `before` None: gemwatch saw the job for the first time.

    The change happened after `last_seen_before`. `running_since`: when the run was first seen IN_PROGRESS.
    """

    job: JobDetails
    before: str | None = None
    last_seen_before: datetime | None = None
    running_since: datetime | None = None

    @property
    def first_sight(self) -> bool:
        return self.before is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedFacts(RunFacts):
    kind: ClassVar = EventKind.STARTED

    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessFacts(RunFacts):
    kind: ClassVar = EventKind.SUCCESS

    previous: PreviousRun | None = None
    unjudged: tuple[str, ...] = ()  # why parts of the gate could not be applied


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsReviewFacts(RunFacts):
    """A SUCCESS that does not pass the quality gate, for these `reasons`."""

    kind: ClassVar = EventKind.NEEDS_REVIEW

    reasons: tuple[str, ...]
    previous: PreviousRun | None = None
    unjudged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFacts(RunFacts):
    """GEM's own reason is `job.failure`. `ran`: how long the run took. `last_success`: of the same input."""

    kind: ClassVar = EventKind.FAILED

    ran: timedelta | None = None
    last_success: PreviousRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFoundFacts:
    """The API answered 404 this many times in a row. `status`: the last one seen, if any."""

    kind: ClassVar = EventKind.NOT_FOUND

    misses: int
    status: str | None = None
    last_seen_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownStatusFacts:
    """TomTom does not document `job.status`. `before`: the previous status, if any."""

    kind: ClassVar = EventKind.UNKNOWN_STATUS

    job: JobDetails
    before: str | None = None
    last_seen_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedTooLongFacts:
    kind: ClassVar = EventKind.QUEUED_TOO_LONG

    job: JobDetails
    since: datetime
    limit: Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTooLongFacts:
    kind: ClassVar = EventKind.RUNNING_TOO_LONG

    job: JobDetails
    since: datetime
    limit: Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTooFastFacts:
    kind: ClassVar = EventKind.FINISHED_TOO_FAST

    job: JobDetails
    ran: timedelta
    limit: Bound


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDoneFacts:
    """How the jobs of a group ended. `incomplete`: some have not ended, or fewer than `expect`."""

    kind: ClassVar = EventKind.GROUP_DONE

    group: str
    members: int
    succeeded: int = 0
    failed: tuple[int, ...] = ()  # ids
    needs_review: tuple[int, ...] = ()  # ids
    unfinished: tuple[int, ...] = ()  # ids
    expect: int | None = None
    incomplete: bool = False
    first_requested_at: datetime | None = None
    last_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """A failure of the service, or (`over`) its recovery. `since`: when the failure started."""

    over: bool
    reason: str | None = None
    since: datetime | None = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFacts(ServiceFacts):
    """`culprit`: the likely cause of the refusal. `words`: the API's own text, which `reason` contains too.

    `some_jobs`: many jobs are refused while others are answered.
    """

    kind: ClassVar = EventKind.LOGIN

    culprit: Culprit = Culprit.UNKNOWN
    http_status: int | None = None
    words: str = ""
    some_jobs: bool = False

    @classmethod
    def of(cls, seen: Refused, *, since: datetime | None) -> "LoginFacts":
        return cls(
            over=False,
            reason=seen.reason,
            since=since,
            remedy=seen.remedy,
            culprit=seen.culprit,
            http_status=seen.status,
            words=seen.words,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiFacts(ServiceFacts):
    """`bad_answer`: the API answers, but in a form that gemwatch does not understand."""

    kind: ClassVar = EventKind.API

    bad_answer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts(ServiceFacts):
    kind: ClassVar = EventKind.STORE


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFacts(ServiceFacts):
    """`refused`: the whole configuration is refused, not only entries of watch lists."""

    kind: ClassVar = EventKind.CONFIG

    refused: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts(ServiceFacts):
    """`fallback`: where the target's messages go in the meantime."""

    kind: ClassVar = EventKind.TARGET

    target: str
    fallback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownFacts:
    """Facts that this version cannot read, for example of a newer version's kind. Shown in neutral words."""

    word: str
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> UnknownKind:
        return UnknownKind(self.word)


Facts = (
    StartedFacts
    | SuccessFacts
    | NeedsReviewFacts
    | FailedFacts
    | NotFoundFacts
    | UnknownStatusFacts
    | QueuedTooLongFacts
    | RunningTooLongFacts
    | FinishedTooFastFacts
    | GroupDoneFacts
    | LoginFacts
    | ApiFacts
    | StoreFacts
    | ConfigFacts
    | TargetFacts
    | UnknownFacts
)
