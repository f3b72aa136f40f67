"""The API's list of the jobs of one type: which status each of them has."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Any

from gemwatch.core.job import Observation, job_id_of, status_of

_CYCLE = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A well-formed list. A job that is not in it may still exist: only the details can say that it does not."""

    at: datetime
    statuses: Mapping[int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What came of a list: how many jobs are due for a look since it shows them changed; or that it is `behind`, by
    so many jobs that had been seen finished before it was asked for and are unfinished in it.

    `last`: the id of the last job that had its turn; the next turn begins after it.
    """

    due: int = 0
    behind: int = 0
    last: int = 0


Listed = Listing | Observation


def in_turn(jobs: int, every: timedelta) -> int:
    """At how many jobs to look after each list, whatever it says, so that each job has its turn within a day."""
    return ceil(jobs / max(1, _CYCLE // every))


def read_statuses(document: str, job_type: str) -> dict[int, str]:
    """The statuses in the JSON text of a list. Entries that make no sense, contradict each other, or are of
    another type count as not listed.

    Raises ValueError with a reason that can be shown, where the text is no list at all.
    """
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError):
        raise ValueError("the list is not JSON") from None
    entries = raw.get("jobs") if isinstance(raw, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the list has no jobs")
    statuses: dict[int, str] = {}
    torn: set[int] = set()
    for entry in entries:
        if isinstance(entry, dict) and (found := _entry(entry, job_type)) is not None:
            job_id, status = found
            if statuses.setdefault(job_id, status) != status:
                torn.add(job_id)
    return {job_id: status for job_id, status in statuses.items() if job_id not in torn}


def _entry(raw: Mapping[str, Any], job_type: str) -> tuple[int, str] | None:
    job_id, status = job_id_of(raw), status_of(raw)
    if job_id is None or status is None or raw.get("job_type") != job_type:
        return None
    return job_id, status
