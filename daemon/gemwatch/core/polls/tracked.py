"""What is known of a watched job, and what a poll of it adds: the values that `decide` takes and returns."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Event
from gemwatch.core.gate import Gate
from gemwatch.core.job import JobDetails, Seen
from gemwatch.core.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is known of a watched job from the polls so far. `status` None: never seen yet."""

    status: str | None = None
    status_since: datetime | None = None  # first seen with this status
    seen_at: datetime | None = None  # last seen at all
    running_since: datetime | None = None  # first seen IN_PROGRESS in the present run
    last_end: datetime | None = None  # of the previous run
    misses: int = 0  # 404s in a row
    failures: int = 0  # polls in a row without a usable answer
    refused_at: datetime | None = None  # the first refusal of this job since it was last answered
    reported_missing: bool = False
    reported_refused: bool = False
    last_error: str | None = None
    reported_limits: str | None = None  # those reported as passed in the present run, as words with spaces between
    reported_statuses: str | None = None  # undocumented ones that were reported, one a line
    clock_at: datetime | None = None  # when the next limit passes if nothing changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A watch with its memory, as it was when it was claimed for a poll. Limits and gate: the watch's own."""

    job_id: int
    every: timedelta
    memory: Memory
    limits: Limits | None = None
    gate: Gate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of status between two observations. `before` is None at first sight."""

    job: JobDetails
    before: str | None
    last_seen_before: datetime | None
    observed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the decision needs to know besides the job.

    `last_good_sent_at`: when the last request was sent that was answered about any job at all. `limits` and `gate`
    are the general ones, None where none are configured; `experience` is what earlier runs taught. `adaptive`: the
    interval follows from it.
    """

    not_found_after: int = 3
    last_good_sent_at: datetime | None = None
    limits: Limits | None = None
    gate: Gate | None = None
    experience: Experience | None = None
    adaptive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be recorded of one poll. `due_at` None: the job is finished and no longer polled.

    `seen`: the answer about the job, if there was one. `gate`: what a success is judged by when it is recorded,
    together with the previous run on the same input.
    """

    job_id: int
    memory: Memory
    due_at: datetime | None
    seen: Seen | None = None
    transition: Transition | None = None
    events: tuple[Event, ...] = ()
    gate: Gate | None = None
