"""A finished run of a job, as the store keeps it: its input, times and results."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.core.job import JobDetails, Statistics

Input = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ended at `ended_at`. Unknown values are None; ratios are 0 to 1.

    `queued`: the time from the request to the start. `ran`: GEM's own execution time, or else how long the job was
    seen running. Each is None if its start or end was not seen.
    """

    job_id: int
    ended_at: datetime
    status: str
    storage_id: str | None = None
    input_filename: str | None = None
    job_type: str | None = None
    overture_release: str | None = None
    orbis_version: str | None = None
    requested_at: datetime | None = None
    queued: timedelta | None = None
    ran: timedelta | None = None
    confidence_threshold: int | None = None
    kilometres: float | None = None
    roads: int | None = None
    matched: float | None = None
    fully_matched: float | None = None
    partially_matched: float | None = None
    unmatched: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChange:
    """Something that was requested differently than for the previous run."""

    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousRun:
    """The last SUCCESS on the same input, in the form for a message about a later run."""

    job_id: int
    ended_at: datetime
    matched: float | None = None
    roads: int | None = None
    kilometres: float | None = None
    ran: timedelta | None = None
    changed: tuple[RequestChange, ...] = ()


def finished(
    job: JobDetails, *, ended_at: datetime, running_since: datetime | None, last_end: datetime | None = None
) -> Run:
    """The run of a job that has just finished.

    `running_since` is None if the start was not seen. `last_end` is the end of the job's previous run: an older
    request belongs to an earlier run, so the time since then is not waiting time.
    """
    statistics = job.statistics or Statistics()
    requested_at = job.requested_at
    requested_for_this = requested_at is not None and (last_end is None or last_end < requested_at)
    return Run(
        job_id=job.job_id,
        ended_at=ended_at,
        status=job.status,
        storage_id=job.storage_id,
        input_filename=job.input_filename,
        job_type=job.job_type,
        overture_release=job.overture_release,
        orbis_version=job.orbis_version,
        requested_at=requested_at,
        queued=_between(requested_at, running_since) if requested_for_this else None,
        ran=_between(running_since, ended_at) if statistics.execution_time is None else statistics.execution_time,
        confidence_threshold=statistics.confidence_threshold,
        kilometres=statistics.kilometres,
        roads=statistics.roads,
        matched=statistics.matched,
        fully_matched=statistics.fully_matched,
        partially_matched=statistics.partially_matched,
        unmatched=statistics.unmatched,
    )


def input_of(job: JobDetails | Run) -> Input | None:
    """The key by which runs are comparable: the same file, the same storage, the same job type."""
    if job.storage_id is None or job.input_filename is None:
        return None
    return job.storage_id, job.input_filename, job.job_type


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    return None if start is None or end is None or end < start else end - start
