"""Watched jobs as rows of a table: which to show, in which order, and what is remarkable about each."""

import fnmatch
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from gemwatch.cli.output.tables import Cell, Column, ColumnKind
from gemwatch.core.job import UNSEEN, Status

if TYPE_CHECKING:
    from gemwatch.adapters.store.reads.rows import JobRow, TransitionRow

NOT_FOUND = "not found"  # shown in place of UNSEEN
COLUMNS = (
    Column(title="Job", kind=ColumnKind.NUMBER),
    Column(title="Name", kind=ColumnKind.TEXT),
    Column(title="Status", kind=ColumnKind.WORD),
    Column(title="Since", kind=ColumnKind.TIME, rank=2),
    Column(title="Expected end", kind=ColumnKind.TIME, rank=3),
    Column(title="Earliest", kind=ColumnKind.TIME, rank=6),
    Column(title="Latest", kind=ColumnKind.TIME, rank=6),
    Column(title="Last poll", kind=ColumnKind.TIME, rank=5),
    Column(title="Next poll", kind=ColumnKind.TIME, rank=4),
    Column(title="Remark", kind=ColumnKind.TEXT, least=28),
)


class Sort(StrEnum):
    """Orders of `gemwatch status`. A job that lacks the value comes last."""

    JOB_ID = "job_id"
    NAME = "name"
    STATUS = "status"
    STATUS_SINCE = "status_since"  # the latest first
    EXPECTED_END = "expected_end"
    NEXT_POLL = "next_poll_at"
    URGENCY = "urgency"  # what needs attention first


def chosen(
    jobs: Iterable["JobRow"],
    *,
    ids: Collection[int],
    statuses: Collection[str],
    name: str | None,
    group: str | None = None,
    everything: bool,
) -> list["JobRow"]:
    """The jobs that meet all conditions. With ids or a group, also jobs that are no longer watched."""
    words = {status.casefold() for status in statuses}
    return [
        job
        for job in jobs
        if (job.job_id in ids if ids else job.watched or everything or group is not None)
        and (not words or word_of(job).casefold() in words)
        and (group is None or job.group == group)
        and (name is None or fnmatch.fnmatchcase((job.name or "").casefold(), name.casefold()))
    ]


def ordered(jobs: Iterable["JobRow"], by: Sort) -> list["JobRow"]:
    return sorted(jobs, key=lambda job: (*_SORT_KEYS[by](job), job.job_id))


def urgency(job: "JobRow") -> tuple[int, float, int]:
    """Sorts jobs that need attention first, then those that run, by their expected end; ended ones by their age."""
    if job.status == Status.FAILED or job.needs_review:
        rank = 0 if job.watched else 6
    elif job.finished or not job.watched:
        rank = 5 if job.watched else 6
    elif job.misses or job.last_error or job.limits_passed or _overdue(job):
        rank = 1
    else:
        rank = {Status.IN_PROGRESS: 2, Status.REQUESTED: 3}.get(job.status, 4)  # type: ignore[call-overload]
    when = _latest_first(job.status_since) if rank in {0, 5, 6} else _expected(job)
    return rank, when, job.job_id


def row_of(job: "JobRow") -> list[Cell]:
    times = (None, None, None) if (one := job.estimate) is None else (one.ends_at, one.earliest, one.latest)
    return [
        job.job_id,
        job.name,
        word_of(job),
        job.status_since,
        *times,
        job.polled_at,
        job.next_poll_at,
        "; ".join(remarks(job)),
    ]


def word_of(job: "JobRow") -> str:
    """The status, or why there is none."""
    return job.status or (NOT_FOUND if job.not_found else UNSEEN)


def remarks(job: "JobRow") -> Sequence[str]:
    """What a person should know besides the status, the most important first."""
    found = list(failure_reasons(job))
    if job.needs_review:
        found.append(f"needs review: {'; '.join(job.needs_review)}")
    if job.misses:
        found.append(f"not found, {job.misses} {'time' if job.misses == 1 else 'times'} in a row")
    elif job.last_error:
        found.append(job.last_error)
    found += [kind.value.replace("-", " ") for kind in job.limits_passed]
    if _overdue(job):
        found.append("overdue")
    if not job.watched:
        found.append("no longer watched")
    elif job.rule is not None:
        found.append(f"by rule {job.rule}")
    return found


def failure_reasons(row: "JobRow | TransitionRow") -> Sequence[str]:
    """GEM's own words about a job that FAILED."""
    return [f"GEM: {said}" for said in row.failure]


def _expected(job: "JobRow") -> float:
    """When it is expected to end, for sorting; jobs without an estimate come last."""
    return math.inf if job.estimate is None else job.estimate.ends_at.timestamp()


def _latest_first(time: datetime | None) -> float:
    return 0.0 if time is None else -time.timestamp()


def _overdue(job: "JobRow") -> bool:
    return job.estimate is not None and job.estimate.overdue


_SORT_KEYS: "Mapping[Sort, Callable[[JobRow], tuple[object, ...]]]" = {
    Sort.JOB_ID: lambda _: (),
    Sort.NAME: lambda job: (not job.name, (job.name or "").casefold()),
    Sort.STATUS: lambda job: (job.status is None, job.status or ""),
    Sort.STATUS_SINCE: lambda job: (_latest_first(job.status_since),),
    Sort.EXPECTED_END: lambda job: (_expected(job),),
    Sort.NEXT_POLL: lambda job: (math.inf if job.next_poll_at is None else job.next_poll_at.timestamp(),),
    Sort.URGENCY: urgency,
}
