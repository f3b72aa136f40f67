"""The lists of a simulated API as JSON texts: late, lacking, contradictory and otherwise odd ones."""

import json
import random
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any

from support.gem import document

STATUSES = ("REQUESTED", "IN_PROGRESS", "SUCCESS", "FAILED", "PAUSED")
_MANY = range(10_001, 10_501)  # jobs that have nothing to do with the run
_JUNK: tuple[Any, ...] = (None, 7, "job", [], {}, {"job_id": 201}, {"job_id": "x", "status": "SUCCESS"})


class Lists(StrEnum):
    """What the lists are like. FAILING: there is none."""

    USUAL = "usual"  # lacks a tenth, and some entries are as old as the job's last poll
    COMPLETE = "complete"
    LATE = "late"
    LACKING = "lacking"
    CONTRADICTORY = "contradictory"
    REPEATED = "repeated"
    OTHER_TYPE = "other type"
    ODD = "odd"
    HUGE = "huge"
    EMPTY = "empty"
    CUT = "cut"
    FAILING = "failing"


_SHARES = {Lists.COMPLETE: 1.0, Lists.LACKING: 0.3, Lists.EMPTY: 0.0}


def list_text(
    jobs: Iterable[tuple[dict[str, Any], list[str]]], job_type: str, kind: Lists, chance: random.Random
) -> str:
    """`jobs`: each job's details, and the statuses of its polls so far."""
    share = _SHARES.get(kind, 0.9)
    listed = (one for one in jobs if chance.random() < share)
    entries = [
        {**job, "job_type": job_type, "status": _status(job["status"], polled, kind, chance)}
        for job, polled in listed
    ]
    text = json.dumps({"jobs": list(_changed(entries, kind, chance))})
    return text[: len(text) * 2 // 3] if kind is Lists.CUT else text


def _status(now: str, polled: list[str], kind: Lists, chance: random.Random) -> str:
    if kind is Lists.COMPLETE:
        return now
    if kind is Lists.LATE:
        return chance.choice(["REQUESTED", *polled])
    if kind is Lists.CONTRADICTORY:
        return chance.choice(STATUSES)
    return chance.choice([*polled[-1:], now])


def _changed(entries: list[dict[str, Any]], kind: Lists, chance: random.Random) -> Iterator[Any]:
    for entry in entries:
        if kind is Lists.OTHER_TYPE:
            yield {**entry, "job_type": chance.choice([entry["job_type"], "OTHER", None, 7])}
        elif kind is Lists.ODD:
            lost = {"requested_at", "input_filename", "statistics"} if chance.random() < 0.5 else set()
            yield {
                name: str(value) if name == "job_id" else value for name, value in entry.items() if name not in lost
            }
            yield chance.choice(_JUNK)
        else:
            yield entry
        if kind is Lists.REPEATED:
            yield {**entry, "status": chance.choice([entry["status"], *STATUSES])}
    if kind is Lists.HUGE:
        for job_id in _MANY:
            yield document(job_id, "SUCCESS")
