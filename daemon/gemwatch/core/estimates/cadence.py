"""How often to poll a job: rarely while its likely end is far off, every interval when it is near."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from gemwatch.core.estimates.durations import Durations
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.job import JobDetails, Status

MOST = 10  # intervals between two polls
LONGEST = timedelta(minutes=15)  # between two polls, unless the interval is longer: a job may fail early


def interval(
    every: timedelta, job: JobDetails, running_since: datetime | None, experience: Experience, now: datetime
) -> timedelta:
    """The interval to the next poll of a job that has not ended.

    The delay until gemwatch notices an end grows with the interval, the number of requests with its inverse. For a
    given number of requests, the mean delay is smallest if the interval is proportional to the inverse square root
    of the hazard, the rate at which jobs end at that moment. `every` is the interval at the median of earlier runs.
    """
    since, durations = _phase(job, running_since, experience)
    if since is None or durations is None:
        return every
    elapsed = now - since
    usual = durations.hazard(durations.quantile(0.5))
    for pause in _longest_first(every):
        # The hazard may rise between two polls.
        hazard = max(durations.hazard(elapsed), durations.hazard(elapsed + pause))
        if hazard * (pause / every) ** 2 <= usual:
            return pause
    return every


def _phase(
    job: JobDetails, running_since: datetime | None, experience: Experience
) -> tuple[datetime | None, Durations | None]:
    """Since when the job has been in its present state, and how long that state takes."""
    outlook = experience.outlook(job)
    if outlook is None:
        return None, None
    if job.status == Status.REQUESTED:
        return job.requested_at, outlook.queued
    return running_since if job.status == Status.IN_PROGRESS else None, outlook.running


def _longest_first(every: timedelta) -> Iterator[timedelta]:
    """The possible intervals, each two thirds of the previous one, all longer than `every`."""
    pause = min(every * MOST, max(every, LONGEST))
    while pause > every:
        yield pause
        pause = pause * 2 / 3
