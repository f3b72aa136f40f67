"""What the list of jobs shows: pure functions from a job to what a template draws."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from gemwatch.adapters.store.reads.rows import JobRow
from gemwatch.core.estimates.estimate import Basis, Estimate
from gemwatch.core.job import Statistics, Status
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import words
from gemwatch.web.pages.query import group_url
from gemwatch.web.pages.words import Badge, Remark, percent

_BASIS = {
    Basis.INPUT: "of this input",
    Basis.RELEASE: "of this release",
    Basis.TYPE: "of this type",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadsShare:
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
    shares: tuple[RoadsShare, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressBar:
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
class ListedJob:
    """A job in the list."""

    job_id: int
    title: str
    under: tuple[str, ...]
    group: str | None
    group_url: str | None
    badge: Badge
    since: datetime | None
    ended: str  # "true" or "false", for the script
    remarks: tuple[Remark, ...]
    match: Match | None
    progress: ProgressBar | None
    outcome: str | None
    polled: datetime | None
    next_poll: datetime | None


def row(job: JobRow, now: datetime) -> ListedJob:
    statistics = job.job.statistics if job.job else None
    polled = not job.finished and job.watched
    return ListedJob(
        job_id=job.job_id,
        title=words.title(job.job_id, job.name),
        under=_under(job),
        group=single_line(job.group, formatting.LONGEST_NAME) if job.group else None,
        group_url=group_url(job.group) if job.group else None,
        badge=badge(job),
        since=job.status_since,
        ended="true" if job.finished else "false",
        remarks=tuple(remarks(job)),
        match=match(statistics) if statistics else None,
        progress=progress(job, now) if polled else None,
        outcome=outcome(job),
        polled=job.polled_at,
        next_poll=job.next_poll_at if polled else None,
    )


def badge(job: JobRow) -> Badge:
    """How a job is: its status, unless its result needs review or the API does not know the job."""
    if job.status == Status.SUCCESS and job.needs_review:
        return words.NEEDS_REVIEW
    if job.not_found:
        return words.NOT_FOUND
    return words.of_status(job.status)


def outcome(job: JobRow) -> str | None:
    """What there is to say about a job that has neither a bar nor a share."""
    if job.status == Status.FAILED:
        reasons = [f"GEM: {single_line(reason, 300)}" for reason in job.failure]
        return " ".join(reasons) or "The API gives no reason"
    return "Finished; the API gives no statistics" if job.finished else None


def remarks(job: JobRow) -> Iterator[Remark]:
    """What a reader should not miss about a job."""
    for reason in job.needs_review:
        said = single_line(reason, 300)
        yield Remark(text=said[:1].upper() + said[1:])
    for limit in job.limits_passed:
        yield Remark(text=limit.traits.limit or single_line(limit.value, 80))
    if job.finished:
        return
    if job.misses:
        times = formatting.counted(job.misses, "time", "times in a row")
        yield Remark(text=f"The API answered {times} that there is no such job (404)", tone="bad")
    elif job.last_error:
        yield Remark(text=f"Last poll: {single_line(job.last_error, 300)}")
    if not job.watched:
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
            RoadsShare(kind=kind, text=f"{formatting.share(ratio)} {kind}")
            for kind, ratio in parts
            if ratio is not None
        ),
    )


def progress(job: JobRow, now: datetime) -> ProgressBar | None:
    """Elapsed time next to the expected one, with the span in which eight runs in ten finish."""
    if job.status is None:
        return None
    estimate = job.estimate
    if estimate is None:
        return ProgressBar(words="No estimate", detail=_why_no_estimate(job))
    end, earliest, latest, overdue = estimate.ends_at, estimate.earliest, estimate.latest, estimate.overdue
    start = (job.job.requested_at if job.job else None) or job.status_since
    if start is None or start >= max(latest, now):
        return None
    whole = (max(latest, now) - start).total_seconds()

    def place(at: datetime) -> float:
        return percent((at - start).total_seconds(), whole)

    return ProgressBar(
        words=_expectation(end, latest, now, overdue=overdue),
        detail=_ground(estimate, now),
        scaled=True,
        overdue=overdue,
        kind="late" if overdue else "waiting" if job.status == Status.REQUESTED else "elapsed",
        first_end=earliest,
        last_end=latest,
        elapsed=place(now),
        expected=min(place(end), 99.5),
        earliest=place(earliest),
        range=round(place(latest) - place(earliest), 2),
    )


def _why_no_estimate(job: JobRow) -> str:
    if job.status not in (Status.REQUESTED, Status.IN_PROGRESS):
        return "gemwatch does not know what follows this status"
    if job.status == Status.REQUESTED and (job.job is None or job.job.requested_at is None):
        return "the API does not say when the job was requested"
    if job.status == Status.IN_PROGRESS and job.running_since is None:
        return "gemwatch did not see the job start"
    return "it takes three finished runs of the same input, release or type"


def _expectation(end: datetime, latest: datetime, now: datetime, *, overdue: bool) -> str:
    if overdue:
        late = f" by {formatting.span(now - latest)}" if now - latest >= timedelta(minutes=1) else ""
        return f"Overdue{late}: nearly all earlier runs had finished by now"
    if end - now < timedelta(minutes=1):
        return "Expected to finish any moment"
    return f"About {formatting.span(end - now)} left"


def _ground(estimate: Estimate, now: datetime) -> str:
    """How sure the estimate is, and what it goes by."""
    runs = formatting.counted(estimate.runs, "run", "runs")
    by = f"by {runs} {_BASIS[estimate.basis]}"
    earliest, latest = estimate.earliest, estimate.latest
    if estimate.overdue or latest <= now:
        return by
    most = formatting.span(latest - now)
    least = formatting.span(max(earliest - now, timedelta()))
    return f"{least} to {most}, {by}" if earliest > now and least != most else f"{most} at most, {by}"


def _under(job: JobRow) -> tuple[str, ...]:
    parts = [str(job.job_id)] if job.name else []
    if job.job and job.job.input_filename:
        parts.append(single_line(job.job.input_filename, 80))
    return tuple(parts)
