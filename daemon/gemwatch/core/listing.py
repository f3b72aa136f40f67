"""The API's list of the jobs of one type: which status each of them has."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from gemwatch.core.job import Observation

_CYCLE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A well-formed list. A job that is not in it may still exist: only the details can say that it does not."""

    at: datetime
    statuses: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """The result of a list: how many jobs are due for a poll because it shows them changed. Or it is `behind`: this
    many jobs had been seen finished before the request and are unfinished in it.

    `last`: the id of the last job that had its turn; the next turn begins after it.
    """

    due: int = 0
    behind: int = 0
    last: int = 0


Listed = Listing | Observation


def in_turn(jobs: int, every: timedelta) -> int:
    """At how many jobs to look after each list, whatever it says, so that each job has its turn within a day."""
    return ceil(jobs / max(1, _CYCLE // every))
