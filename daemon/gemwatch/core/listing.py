"""The API's list of the jobs of one type, with their statuses."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from gemwatch.core.job import Observation

_CYCLE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A valid list. A job that is missing in it may still exist: only a poll shows that it does not."""

    at: datetime
    statuses: Mapping[int, str]


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
