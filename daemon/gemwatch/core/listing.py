"""The API's list of the jobs of one type."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import ceil

from gemwatch.core.job import JobDetails, Observation

DOCUMENTED_TYPES = ("ROAD_MATCHING", "LANE_LEVEL_MATCHING")
_CYCLE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A valid list. A job that is missing in it may still exist: only a poll shows that it does not.

    `hints`: fields that suggest more pages, in words. `after`: the next page, if it can be followed.
    """

    at: datetime
    job_type: str
    jobs: Mapping[int, JobDetails]
    hints: Mapping[str, str] = field(default_factory=dict)
    after: str | None = None

    def statuses(self) -> dict[int, str]:
        """The status of each job that is of the requested type."""
        return {job_id: job.status for job_id, job in self.jobs.items() if job.job_type == self.job_type}


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The result of a list. `due`: how many jobs changed and are due for a poll. `behind`: how many jobs that were
    finished before the request are unfinished in the list, which is then outdated.

    `last`: the id of the last job that had its turn; the next turn starts after it.
    """

    due: int = 0
    behind: int = 0
    last: int = 0


Listed = Listing | Observation


def in_turn(jobs: int, every: timedelta) -> int:
    """How many jobs to poll after each list regardless of its content, so that each job has a turn once a day."""
    return ceil(jobs / max(1, _CYCLE // every))
