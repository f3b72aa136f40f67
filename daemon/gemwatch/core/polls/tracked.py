"""The values that `decide` takes and returns: a watched job's memory, and the verdict on a poll."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Event
from gemwatch.core.gate import Gate
from gemwatch.core.job import JobDetails, Seen
from gemwatch.core.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What the polls so far have shown about a watched job. `status` None: not seen yet."""

    status: str | None = None
    status_since: datetime | None = None  # first seen with this status
    seen_at: datetime | None = None  # last seen at all
    running_since: datetime | None = None  # first seen IN_PROGRESS in the present run
    last_end: datetime | None = None  # of the previous run
    misses: int = 0  # consecutive 404s
    failures: int = 0  # consecutive polls without a usable answer
    refused_at: datetime | None = None  # the first refusal of this job since its last answer
    reported_missing: bool = False
    reported_refused: bool = False
    last_error: str | None = None
    reported_limits: str | None = None  # limits already reported in the present run, separated by spaces
    reported_statuses: str | None = None  # reported undocumented statuses, one per line
    clock_at: datetime | None = None  # when the next limit passes if nothing changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A watch with its memory, as of its claim for a poll. Limits and gate: the watch's own."""

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
    """What the decision needs in addition to the job.

    `last_good_sent_at`: when the last request with a good answer about any job was sent. `limits` and `gate` are the
    general ones, None if not configured. `experience`: the durations of earlier runs. `adaptive`: derive the
    interval from them. `many_refused`: many jobs are refused while others are answered, which is one event.
    """

    not_found_after: int = 3
    last_good_sent_at: datetime | None = None
    limits: Limits | None = None
    gate: Gate | None = None
    experience: Experience | None = None
    adaptive: bool = False
    many_refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The changes to record after a poll. `due_at` None: the job is finished and no longer polled.

    `seen`: the answer about the job, if there was one. `gate`: the gate for a success, which is judged when it is
    recorded, because that needs the previous run on the same input.
    """

    job_id: int
    memory: Memory
    due_at: datetime | None
    seen: Seen | None = None
    transition: Transition | None = None
    events: tuple[Event, ...] = ()
    gate: Gate | None = None
