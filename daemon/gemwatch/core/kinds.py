"""The kinds of event, each declared once: with word, traits and facts.

The store keeps facts as JSON (adapters/store/facts_codec.py). A new field needs a default, so that this version can
still read events from an older version. An `Example` is what the field holds in the samples of `test-notify`. The
file is long because it is one table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, get_args

from gemwatch.core.estimates.estimate import Estimate
from gemwatch.core.job import JobDetails, Refused, Status
from gemwatch.core.limits import Bound
from gemwatch.core.refusals import Culprit
from gemwatch.core.runs import PreviousRun
from gemwatch.core.sample_job import sample_job
from gemwatch.core.traits import Example, Scope, Tone, Traits

_HOUR = timedelta(hours=1)
_PROBLEM = "config.yaml:14:5: watch[2].job: is not a job id"


class EventKind(StrEnum):
    """The kinds of event. The values are the words for a target's `on`."""

    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"
    NOT_FOUND = "not-found"
    NEEDS_REVIEW = "needs-review"
    QUEUED_TOO_LONG = "queued-too-long"
    RUNNING_TOO_LONG = "running-too-long"
    FINISHED_TOO_FAST = "finished-too-fast"
    UNKNOWN_STATUS = "unknown-status"
    GROUP_DONE = "group-done"
    LOGIN = "login"
    API = "api"
    CONFIG = "config"
    STORE = "store"
    TARGET = "target"

    @property
    def traits(self) -> Traits:
        traits: Traits = FACTS[self].traits
        return traits


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """The common facts of all events about a job's run. `before` None: gemwatch saw the job for the first time.

    The change happened after `last_seen_before`. `running_since`: when the run was first seen IN_PROGRESS.
    """

    job: Annotated[JobDetails, Example(sample_job(Status.SUCCESS))]
    before: Annotated[str | None, Example(Status.IN_PROGRESS)] = None
    last_seen_before: Annotated[datetime | None, Example(ago=timedelta(minutes=1))] = None
    running_since: Annotated[datetime | None, Example(ago=timedelta(minutes=4))] = None

    @property
    def first_sight(self) -> bool:
        return self.before is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedFacts(RunFacts):
    kind: ClassVar = EventKind.STARTED
    traits: ClassVar = Traits(scope=Scope.JOB, outcome="STARTED", label="Started", tone=Tone.PLAIN, listed=False)

    job: Annotated[JobDetails, Example(sample_job(Status.IN_PROGRESS))]
    before: Annotated[str | None, Example(Status.REQUESTED)] = None
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SuccessFacts(RunFacts):
    kind: ClassVar = EventKind.SUCCESS
    traits: ClassVar = Traits(scope=Scope.JOB, outcome="SUCCESS", label="Succeeded", tone=Tone.GOOD)

    previous: PreviousRun | None = None
    unjudged: tuple[str, ...] = ()  # why parts of the gate could not be applied


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsReviewFacts(RunFacts):
    """A SUCCESS that does not pass the quality gate, for these `reasons`."""

    kind: ClassVar = EventKind.NEEDS_REVIEW
    traits: ClassVar = Traits(
        scope=Scope.JOB, outcome="SUCCESS, needs review", label="Needs review", tone=Tone.WARNING
    )

    reasons: Annotated[tuple[str, ...], Example(("matched 84.7 %, below the floor of 90.0 %",))]
    previous: PreviousRun | None = None
    unjudged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedFacts(RunFacts):
    """GEM's own reason is `job.failure`. `ran`: how long the run took. `last_success`: of the same input."""

    kind: ClassVar = EventKind.FAILED
    traits: ClassVar = Traits(scope=Scope.JOB, outcome="FAILED", label="Failed", tone=Tone.BAD)

    job: Annotated[JobDetails, Example(sample_job(Status.FAILED))]
    ran: timedelta | None = None
    last_success: PreviousRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFoundFacts:
    """The API answered 404 this many times in a row. `status`: the last one seen, if any."""

    kind: ClassVar = EventKind.NOT_FOUND
    traits: ClassVar = Traits(scope=Scope.JOB, outcome="NOT FOUND", label="Not found", tone=Tone.WARNING)

    misses: Annotated[int, Example(3)]
    status: str | None = None
    last_seen_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownStatusFacts:
    """TomTom does not document `job.status`. `before`: the previous status, if any."""

    kind: ClassVar = EventKind.UNKNOWN_STATUS
    traits: ClassVar = Traits(scope=Scope.JOB, outcome="UNKNOWN STATUS", label="Unknown status", tone=Tone.WARNING)

    job: Annotated[JobDetails, Example(sample_job("PAUSED"))]
    before: Annotated[str | None, Example(Status.IN_PROGRESS)] = None
    last_seen_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedTooLongFacts:
    kind: ClassVar = EventKind.QUEUED_TOO_LONG
    traits: ClassVar = Traits(
        scope=Scope.JOB,
        outcome="QUEUED TOO LONG",
        label="Queued too long",
        tone=Tone.WARNING,
        limit="It has been waiting for longer than the limit",
    )

    job: Annotated[JobDetails, Example(sample_job(Status.REQUESTED))]
    since: Annotated[datetime, Example(ago=3 * _HOUR)]
    limit: Annotated[Bound, Example(Bound(length=2 * _HOUR))]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTooLongFacts:
    kind: ClassVar = EventKind.RUNNING_TOO_LONG
    traits: ClassVar = Traits(
        scope=Scope.JOB,
        outcome="RUNNING TOO LONG",
        label="Running too long",
        tone=Tone.WARNING,
        limit="It has been running for longer than the limit",
    )

    job: Annotated[JobDetails, Example(sample_job(Status.IN_PROGRESS))]
    since: Annotated[datetime, Example(ago=3 * _HOUR)]
    limit: Annotated[Bound, Example(Bound(length=2 * _HOUR))]


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedTooFastFacts:
    kind: ClassVar = EventKind.FINISHED_TOO_FAST
    traits: ClassVar = Traits(
        scope=Scope.JOB,
        outcome="FINISHED TOO FAST",
        label="Finished too fast",
        tone=Tone.WARNING,
        limit="It finished sooner than a real run does",
    )

    job: Annotated[JobDetails, Example(sample_job(Status.SUCCESS))]
    ran: Annotated[timedelta, Example(timedelta(seconds=42))]
    limit: Annotated[Bound, Example(Bound(length=2 * _HOUR))]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDoneFacts:
    """How the jobs of a group ended. `incomplete`: some have not ended, or fewer than `expect`."""

    kind: ClassVar = EventKind.GROUP_DONE
    traits: ClassVar = Traits(scope=Scope.GROUP, outcome="GROUP DONE", label="Group done", tone=Tone.PLAIN)

    group: Annotated[str, Example("a test of gemwatch")]
    members: Annotated[int, Example(3)]
    succeeded: Annotated[int, Example(2)] = 0
    failed: Annotated[tuple[int, ...], Example((123456789,))] = ()  # ids
    needs_review: tuple[int, ...] = ()  # ids
    unfinished: tuple[int, ...] = ()  # ids
    expect: int | None = None
    incomplete: bool = False
    first_requested_at: datetime | None = None
    last_ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFacts:
    """A failure of the service, or (`over`) its recovery. `since`: when the failure started."""

    over: Annotated[bool, Example(False)]
    reason: str | None = None
    since: Annotated[datetime | None, Example(ago=_HOUR)] = None
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginFacts(ServiceFacts):
    """`culprit`: the likely cause of the refusal. `words`: the API's own text, which `reason` contains too.

    `some_jobs`: many jobs are refused while others are answered. `replica`: the host of the affected one of several
    daemons, None if there is only one. `others_poll`: whether another of them polls. `ended`: it is over because that
    daemon has ended.
    """

    kind: ClassVar = EventKind.LOGIN
    traits: ClassVar = Traits(scope=Scope.SERVICE, outcome="LOGIN", label="Login", tone=Tone.BAD)

    reason: Annotated[str | None, Example("az exited with 1: \"Please run 'az login'\"")] = None
    culprit: Culprit = Culprit.UNKNOWN
    http_status: int | None = None
    words: str = ""
    some_jobs: bool = False
    replica: str | None = None
    others_poll: bool = False
    ended: bool = False

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
    """`bad_answer`: the API answers, but in a form that gemwatch does not understand.

    `discovery`: only its lists of jobs fail, which the rules need.
    """

    kind: ClassVar = EventKind.API
    traits: ClassVar = Traits(scope=Scope.SERVICE, outcome="API", label="GEM API", tone=Tone.BAD)

    reason: Annotated[str | None, Example("no answer within 30 s")] = None
    bad_answer: bool = False
    discovery: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts(ServiceFacts):
    kind: ClassVar = EventKind.STORE
    traits: ClassVar = Traits(scope=Scope.SERVICE, outcome="STORE", label="Store", tone=Tone.BAD)

    reason: Annotated[str | None, Example("database or disk is full")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFacts(ServiceFacts):
    """`refused`: the whole configuration is refused, not only entries of watch lists and rules.

    `rules`: this is about rules that watch as many jobs as they may. `full_rules`: their keys.
    `lists`: this is about replicas whose watch lists differ from the applied one. `hosts`: theirs.
    """

    kind: ClassVar = EventKind.CONFIG
    traits: ClassVar = Traits(scope=Scope.SERVICE, outcome="CONFIGURATION", label="Configuration", tone=Tone.BAD)

    refused: Annotated[bool, Example(True)] = False
    problems: Annotated[tuple[str, ...], Example((_PROBLEM,))] = ()
    rules: bool = False
    full_rules: tuple[str, ...] = ()
    lists: bool = False
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetFacts(ServiceFacts):
    """`fallback`: where the target's messages go in the meantime."""

    kind: ClassVar = EventKind.TARGET
    traits: ClassVar = Traits(scope=Scope.SERVICE, outcome="TARGET", label="Target", tone=Tone.BAD)

    reason: Annotated[str | None, Example("smtp.example.com:587 answered 535: authentication failed")] = None
    target: Annotated[str, Example("data-mail")]
    fallback: str | None = None


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """A kind from a newer gemwatch. It is shown with its own word and without assumptions."""

    value: str

    @property
    def traits(self) -> Traits:
        word = self.value[:40].replace("-", " ")
        return Traits(scope=Scope.SERVICE, outcome=word.upper(), label=word.capitalize(), tone=Tone.PLAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownFacts:
    """Facts that this version cannot read, for example of a newer version's kind. Shown in neutral words."""

    word: str
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> UnknownKind:
        return UnknownKind(self.word)


JobFacts = (
    StartedFacts
    | SuccessFacts
    | NeedsReviewFacts
    | FailedFacts
    | NotFoundFacts
    | UnknownStatusFacts
    | QueuedTooLongFacts
    | RunningTooLongFacts
    | FinishedTooFastFacts
)
FailureFacts = LoginFacts | ApiFacts | StoreFacts | ConfigFacts | TargetFacts
Facts = JobFacts | GroupDoneFacts | FailureFacts | UnknownFacts
Kind = EventKind | UnknownKind

FACTS: Mapping[EventKind, Any] = {one.kind: one for one in get_args(Facts) if one is not UnknownFacts}
DEFAULT_EVENTS = frozenset(kind for kind in EventKind if kind.traits.listed)  # fails if a kind has no facts
JOB_EVENTS = frozenset(kind for kind in EventKind if kind.traits.scope is Scope.JOB)
# The order of a summary: what needs action comes first.
IN_SUMMARY = (
    EventKind.LOGIN,
    EventKind.API,
    EventKind.CONFIG,
    EventKind.STORE,
    EventKind.TARGET,
    EventKind.FAILED,
    EventKind.NEEDS_REVIEW,
    EventKind.GROUP_DONE,
    EventKind.UNKNOWN_STATUS,
    EventKind.FINISHED_TOO_FAST,
    EventKind.RUNNING_TOO_LONG,
    EventKind.QUEUED_TOO_LONG,
    EventKind.NOT_FOUND,
    EventKind.SUCCESS,
    EventKind.STARTED,
)


def kind_of(word: str) -> Kind:
    """The kind for a word from a store or a page. Never raises: an unknown word becomes an `UnknownKind`."""
    try:
        return EventKind(word)
    except ValueError:
        return UnknownKind(word)
