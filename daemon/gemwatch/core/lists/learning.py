"""What past jobs in a list teach: their runs, for estimates, limits and comparisons."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from gemwatch.core.job import JobDetails, Status
from gemwatch.core.runs import Run, finished

CLOCKS_DIFFER = timedelta(minutes=5)  # this machine's clock and GEM's, at most


def learned_runs(jobs: Iterable[JobDetails], now: datetime) -> list[Run]:
    """The runs of the jobs that succeeded, ordered by their requests.

    GEM adds statistics and a result file at the end of a job: an entry without them may be wrong about the end, and
    one whose execution would last until after `now` is.

    A list does not show when a job ended. Its waiting time is unknown, so the end is the earliest possible one.
    """
    runs = [
        finished(job, ended_at=ended_at, running_since=None)
        for job in jobs
        if (ended_at := _earliest_end(job)) is not None and ended_at <= now + CLOCKS_DIFFER
    ]
    return sorted(runs, key=lambda run: (run.requested_at or run.ended_at, run.job_id))


def _earliest_end(job: JobDetails) -> datetime | None:
    """None: it has not succeeded, or nothing but its status shows that."""
    if job.status != Status.SUCCESS or job.requested_at is None:
        return None
    if job.statistics is None or job.result_filename is None:
        return None
    return job.requested_at + (job.statistics.execution_time or timedelta())
