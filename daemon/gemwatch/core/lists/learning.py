"""What past jobs in a list teach: their runs, for estimates, limits and comparisons."""

from collections.abc import Iterable
from datetime import timedelta

from gemwatch.core.job import JobDetails, Status
from gemwatch.core.runs import Run, finished


def learned_runs(jobs: Iterable[JobDetails]) -> list[Run]:
    """The runs of the jobs that succeeded, ordered by their requests.

    GEM adds the statistics at the end of a job: an entry without them may be wrong about the end, and would teach
    nothing.

    A list does not show when a job ended. Its waiting time is unknown, so the end is the earliest possible one.
    """
    runs = [
        finished(job, ended_at=job.requested_at + (job.statistics.execution_time or timedelta()), running_since=None)
        for job in jobs
        if job.status == Status.SUCCESS and job.requested_at is not None and job.statistics is not None
    ]
    return sorted(runs, key=lambda run: (run.requested_at or run.ended_at, run.job_id))
