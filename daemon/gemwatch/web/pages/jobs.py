"""What the list of jobs shows: pure functions from the JSON of a job to what a template draws."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gemwatch.adapters.gem.wire import read_details
from gemwatch.core.job import JobDetails, Statistics, Status, is_end
from gemwatch.core.kinds import kind_of
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import words
from gemwatch.web.pages.words import Badge, Remark, percent

Json = Mapping[str, Any]

_BASIS = {
    "input": "of this input",
    "release": "of this release",
    "type": "of this type",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of the roads."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How much was matched: two widths in per cent, and the same in words."""

    fully: float
    partially: float
    words: str
    roads: str | None
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How far an unfinished job is. Places are per cent of the bar; without `scaled` there is none to draw."""

    words: str
    detail: str | None = None
    scaled: bool = False
    overdue: bool = False
    kind: str = "elapsed"
    first_end: datetime | None = None
    last_end: datetime | None = None
    elapsed: float = 0
    expected: float = 0
    earliest: float = 0
    range: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A job in the list."""

    job_id: int
    title: str
    under: tuple[str, ...]
    badge: Badge
    since: datetime | None
    ended: str  # "true" or "false", for the script
    remarks: tuple[Remark, ...]
    match: Match | None
    progress: Outlook | None
    outcome: str | None
    polled: datetime | None
    next_poll: datetime | None


def row(job: Json, now: datetime) -> Row:
    details = details_of(job)
    name = words.title(job["job_id"], job["name"])
    return Row(
        job_id=job["job_id"],
        title=name,
        under=_under(job, details),
        badge=badge(job),
        since=words.time(job["status_since"]),
        ended="true" if job["finished"] else "false",
        remarks=tuple(remarks(job)),
        match=match(details.statistics) if details and details.statistics else None,
        progress=None if job["finished"] or not job["watched"] else progress(job, details, now),
        outcome=outcome(job),
        polled=words.time(job["last_polled_at"]),
        next_poll=None if job["finished"] or not job["watched"] else words.time(job["next_poll_at"]),
    )


def badge(job: Json) -> Badge:
    """How a job is: its status, unless its result needs review or the API does not know the job."""
    if job["status"] == Status.SUCCESS and job.get("needs_review"):
        return words.NEEDS_REVIEW
    if job.get("not_found"):
        return words.NOT_FOUND
    return words.of_status(job["status"])


def outcome(job: Json) -> str | None:
    """What there is to say about a job that has neither a bar nor a share."""
    if job["status"] == Status.FAILED:
        reasons = [f"GEM: {single_line(str(reason), 300)}" for reason in job.get("failure") or ()]
        return " ".join(reasons) or "The API gives no reason"
    return "Finished; the API gives no statistics" if is_end(job["status"]) else None


def details_of(job: Json) -> JobDetails | None:
    """What the API said, read without trust."""
    if not isinstance(job["details"], dict):
        return None
    try:
        return read_details(json.dumps(job["details"]))
    except ValueError:
        return None


def remarks(job: Json) -> Iterator[Remark]:
    """What a reader should not miss about a job."""
    for reason in job.get("needs_review") or ():
        said = single_line(str(reason), 300)
        yield Remark(text=said[:1].upper() + said[1:])
    for limit in job.get("limits_passed") or ():
        yield Remark(text=kind_of(limit).traits.limit or single_line(limit, 80))
    if job["finished"]:
        return
    if job["misses"]:
        times = formatting.counted(job["misses"], "time", "times in a row")
        yield Remark(text=f"The API answered {times} that there is no such job (404)", tone="bad")
    elif job["last_error"]:
        yield Remark(text=f"Last poll: {single_line(job['last_error'], 300)}")
    if not job["watched"]:
        yield Remark(text="No longer watched: it is not polled", tone="wait")


def match(statistics: Statistics) -> Match | None:
    """The shares as they were given; what is missing is left out, and the bar never exceeds its length."""
    fully, partially = statistics.fully_matched, statistics.partially_matched
    whole = statistics.matched
    if whole is None and fully is not None:
        whole = min(1.0, fully + (partially or 0))
    if whole is None:
        return None
    first = percent(whole if fully is None else fully, 1)
    parts = (("fully", fully), ("partially", partially), ("unmatched", statistics.unmatched))
    return Match(
        fully=first,
        partially=min(percent(partially or 0, 1), round(100 - first, 2)),
        words=f"{formatting.share(whole)} matched",
        roads=None if statistics.roads is None else formatting.counted(statistics.roads, "road", "roads"),
        shares=tuple(
            Share(kind=kind, text=f"{formatting.share(ratio)} {kind}") for kind, ratio in parts if ratio is not None
        ),
    )


def progress(job: Json, details: JobDetails | None, now: datetime) -> Outlook | None:
    """Elapsed time next to the expected one, with the span in which eight runs in ten finish."""
    if job["status"] is None:
        return None
    estimate: Json | None = job.get("estimate")
    if estimate is None:
        return Outlook(words="No estimate", detail=_why_no_estimate(job, details))
    end, earliest, latest = (words.time(estimate[key]) for key in ("ends_at", "earliest", "latest"))
    start = (details.requested_at if details else None) or words.time(job["status_since"])
    if end is None or earliest is None or latest is None or start is None or start >= max(latest, now):
        return None
    overdue = bool(estimate["overdue"])
    whole = (max(latest, now) - start).total_seconds()

    def place(at: datetime) -> float:
        return percent((at - start).total_seconds(), whole)

    return Outlook(
        words=_expectation(end, latest, now, overdue=overdue),
        detail=_ground(estimate, earliest, latest, now, overdue=overdue),
        scaled=True,
        overdue=overdue,
        kind="late" if overdue else "waiting" if job["status"] == Status.REQUESTED else "elapsed",
        first_end=earliest,
        last_end=latest,
        elapsed=place(now),
        expected=min(place(end), 99.5),
        earliest=place(earliest),
        range=round(place(latest) - place(earliest), 2),
    )


def _why_no_estimate(job: Json, details: JobDetails | None) -> str:
    if job["status"] not in (Status.REQUESTED, Status.IN_PROGRESS):
        return "gemwatch does not know what follows this status"
    if job["status"] == Status.REQUESTED and (details is None or details.requested_at is None):
        return "the API does not say when the job was requested"
    if job["status"] == Status.IN_PROGRESS and job.get("running_since") is None:
        return "gemwatch did not see the job start"
    return "it takes three finished runs of the same input, release or type"


def _expectation(end: datetime, latest: datetime, now: datetime, *, overdue: bool) -> str:
    if overdue:
        late = f" by {formatting.span(now - latest)}" if now - latest >= timedelta(minutes=1) else ""
        return f"Overdue{late}: nearly all earlier runs had finished by now"
    if end - now < timedelta(minutes=1):
        return "Expected to finish any moment"
    return f"About {formatting.span(end - now)} left"


def _ground(estimate: Json, earliest: datetime, latest: datetime, now: datetime, *, overdue: bool) -> str:
    """How sure the estimate is, and what it goes by."""
    runs = formatting.counted(estimate["runs"], "run", "runs")
    by = f"by {runs} {_BASIS.get(estimate['basis'], 'before')}"
    if overdue or latest <= now:
        return by
    most = formatting.span(latest - now)
    least = formatting.span(max(earliest - now, timedelta()))
    return f"{least} to {most}, {by}" if earliest > now and least != most else f"{most} at most, {by}"


def _under(job: Json, details: JobDetails | None) -> tuple[str, ...]:
    parts = [str(job["job_id"])] if job["name"] else []
    if details and details.input_filename:
        parts.append(single_line(details.input_filename, 80))
    return tuple(parts)
