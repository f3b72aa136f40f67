"""One finished run of a job, as the store keeps it: where it came from, how long it took, what it matched."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.core.job import JobDetails, Statistics

Input = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run that ended at `ended_at`, as far as it is known; ratios are 0 to 1.

    `queued` is the time from the request to the start, `ran` GEM's own execution time, or else the time that it
    was seen running. Each is None where its beginning or end was not seen.
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


def finished(
    job: JobDetails, *, ended_at: datetime, running_since: datetime | None, last_end: datetime | None = None
) -> Run:
    """The run that a finished job has just had.

    `running_since` is None where its start was not seen. `last_end` is the end of the job's run before: a request
    that is older than that belongs to an earlier run, and the time since then is no queueing.
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
    """What makes two runs comparable: the same file in the same place, matched in the same way."""
    if job.storage_id is None or job.input_filename is None:
        return None
    return job.storage_id, job.input_filename, job.job_type


def _between(start: datetime | None, end: datetime | None) -> timedelta | None:
    return None if start is None or end is None or end < start else end - start
