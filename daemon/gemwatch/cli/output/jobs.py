"""Watched jobs as rows of a table: which to show, in which order, and what is remarkable about each."""

import fnmatch
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, assert_never

from gemwatch.cli.output.tables import Cell, Column, Kind
from gemwatch.core.job import Status

Job = Mapping[str, Any]  # as in `gemwatch status --json`

UNSEEN = "not seen yet"
COLUMNS = (
    Column(title="Job", kind=Kind.NUMBER),
    Column(title="Name", kind=Kind.TEXT),
    Column(title="Status", kind=Kind.WORD),
    Column(title="Since", kind=Kind.TIME, rank=2),
    Column(title="Expected end", kind=Kind.TIME, rank=3),
    Column(title="Earliest", kind=Kind.TIME, rank=6),
    Column(title="Latest", kind=Kind.TIME, rank=6),
    Column(title="Last poll", kind=Kind.TIME, rank=5),
    Column(title="Next poll", kind=Kind.TIME, rank=4),
    Column(title="Remark", kind=Kind.TEXT),
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
    jobs: Iterable[Job], *, ids: Collection[int], statuses: Collection[str], name: str | None, everything: bool
) -> list[Job]:
    """The jobs that meet all conditions. Of those named by their ids, also ones that are no longer watched."""
    words = {status.casefold() for status in statuses}
    return [
        job
        for job in jobs
        if (job["job_id"] in ids if ids else job["watched"] or everything)
        and (not words or (job["status"] or UNSEEN).casefold() in words)
        and (name is None or fnmatch.fnmatchcase((job["name"] or "").casefold(), name.casefold()))
    ]


def ordered(jobs: Iterable[Job], by: Sort) -> list[Job]:
    match by:
        case Sort.JOB_ID | Sort.STATUS | Sort.NEXT_POLL:
            return sorted(jobs, key=lambda job: (job[by] is None, job[by] or "", job["job_id"]))
        case Sort.NAME:
            return sorted(jobs, key=lambda job: (not job["name"], (job["name"] or "").casefold(), job["job_id"]))
        case Sort.STATUS_SINCE:
            latest_first = sorted(jobs, key=lambda job: job["status_since"] or "", reverse=True)
            return sorted(latest_first, key=lambda job: job["status_since"] is None)
        case Sort.EXPECTED_END:
            return sorted(jobs, key=lambda job: (job["estimate"] is None, _expected(job) or "", job["job_id"]))
        case Sort.URGENCY:
            return sorted(jobs, key=urgency)
        case _:
            assert_never(by)


def urgency(job: Job) -> tuple[int, str, int]:
    """Sorts jobs that need attention first, then those that run, by their expected end; ended ones by their age."""
    if job["status"] == Status.FAILED or job["needs_review"]:
        rank = 0 if job["watched"] else 6
    elif job["finished"] or not job["watched"]:
        rank = 5 if job["watched"] else 6
    elif job["misses"] or job["last_error"] or job["limits_passed"] or _overdue(job):
        rank = 1
    else:
        rank = {Status.IN_PROGRESS: 2, Status.REQUESTED: 3}.get(job["status"], 4)
    when = _expected(job) or "~"  # after all times
    if rank in {0, 5, 6}:
        when = _backwards(job["status_since"])
    return rank, when, job["job_id"]


def row_of(job: Job) -> list[Cell]:
    expected = job["estimate"] or {}
    return [
        job["job_id"],
        job["name"],
        job["status"] or UNSEEN,
        time_of(job["status_since"]),
        time_of(expected.get("ends_at")),
        time_of(expected.get("earliest")),
        time_of(expected.get("latest")),
        time_of(job["last_polled_at"]),
        time_of(job["next_poll_at"]),
        "; ".join(remarks(job)),
    ]


def remarks(job: Job) -> Sequence[str]:
    """What a person should know besides the status, the most important first."""
    found = list(failure_reasons(job))
    if job["needs_review"]:
        found.append(f"needs review: {'; '.join(job['needs_review'])}")
    if job["misses"]:
        found.append(f"not found, {job['misses']} {'time' if job['misses'] == 1 else 'times'} in a row")
    elif job["last_error"]:
        found.append(str(job["last_error"]))
    found += [word.replace("-", " ") for word in job["limits_passed"]]
    if _overdue(job):
        found.append("overdue")
    if not job["watched"]:
        found.append("no longer watched")
    return found


def failure_reasons(row: Mapping[str, Any]) -> Sequence[str]:
    """GEM's own words about a job that FAILED."""
    return [f"GEM: {said}" for said in row.get("failure") or ()]


def time_of(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _expected(job: Job) -> str | None:
    return None if job["estimate"] is None else job["estimate"]["ends_at"]


def _overdue(job: Job) -> bool:
    return job["estimate"] is not None and bool(job["estimate"]["overdue"])


def _backwards(time: str | None) -> str:
    """A text that sorts later times first."""
    stamp = 0.0 if time is None else datetime.fromisoformat(time).astimezone(UTC).timestamp()
    return f"{10**12 - stamp:020.3f}"
