"""What the page of one job shows in addition to what the list shows of it: pure functions, as in `jobs.py`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.rows import JobHistory, JobRow
from gemwatch.core.job import JobDetails, Status
from gemwatch.core.runs import Run, finished
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import jobs as present
from gemwatch.web.pages import plots, words
from gemwatch.web.pages.headings import ShownDelivery, delivery
from gemwatch.web.pages.plots import Plot, Point
from gemwatch.web.pages.query import group_url
from gemwatch.web.pages.timeline import Timeline, timeline
from gemwatch.web.pages.words import MISSING, Badge, Remark

_MOST_RUNS = 20  # in addition to this one: the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFact:
    """A line of the list of facts: a text, or a time shown as `how` says."""

    label: str
    text: str = ""
    code: bool = False
    at: datetime | None = None
    how: str = "moment"
    copied: bool = False  # there is a button to copy the text
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    job_id: int
    this: bool
    ended: datetime | None
    matched: str
    roads: str
    length: str
    took: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """This run next to earlier ones. Without rows there is nothing to compare."""

    heading: str = "Compared with earlier runs of the same input"
    words: str = ""
    plots: tuple[Plot, ...] = ()
    rows: tuple[RunRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobContent:
    """Everything that the page of a job shows."""

    job_id: int
    title: str
    subtitle: str
    badge: Badge
    ended: str
    since: datetime | None
    since_word: str
    remarks: tuple[Remark, ...]
    headline: str | None
    match: present.Match | None
    progress: present.ProgressBar | None
    outcome: str | None
    timeline: Timeline
    facts: tuple[JobFact, ...]
    runs: Runs
    deliveries: tuple[ShownDelivery, ...]


def job_page(found: JobHistory, now: datetime) -> JobContent:
    job, details, row = found.job, found.job.job, present.row(found.job, now)
    return JobContent(
        job_id=row.job_id,
        title=row.title,
        subtitle=f"Job {row.job_id}" if job.name else "",
        badge=row.badge,
        ended=row.ended,
        since=row.since,
        since_word="seen finished" if job.finished else f"first seen {_in_a_sentence(row.badge)}",
        remarks=row.remarks,
        headline=_headline(details),
        match=row.match,
        progress=row.progress,
        outcome=row.outcome,
        timeline=timeline(found.transitions, details.requested_at if details else None, now),
        facts=tuple(_facts(job)),
        runs=_runs(found),
        deliveries=tuple(delivery(one) for one in reversed(found.deliveries)),
    )


def _in_a_sentence(badge: Badge) -> str:
    return badge.word if badge.tone == "odd" else badge.word.lower()


def _headline(details: JobDetails | None) -> str | None:
    """`397,613 roads, 80,208 km, in 2 h 42 min`."""
    statistics = details.statistics if details else None
    if statistics is None:
        return None
    parts = [] if statistics.roads is None else [formatting.counted(statistics.roads, "road", "roads")]
    parts += [] if statistics.kilometres is None else [formatting.kilometres(statistics.kilometres)]
    parts += [] if statistics.execution_time is None else [f"in {formatting.span(statistics.execution_time)}"]
    return ", ".join(parts) or None


def _facts(job: JobRow) -> Iterator[JobFact]:
    yield JobFact(label="Job id", text=str(job.job_id), code=True, copied=True)
    yield JobFact(label="Status", text=single_line(job.status, 64) if job.status else "not seen yet", code=True)
    for reason in job.failure:
        yield JobFact(label="GEM", text=single_line(reason, 300))
    if job.job is not None:
        yield from _api_facts(job.job)
    if job.polled_at is not None:
        yield JobFact(label="Last poll", at=job.polled_at, how="ago")
    if job.next_poll_at is not None and not job.finished:
        yield JobFact(label="Next poll", at=job.next_poll_at, how="until")
    if job.group is not None:
        yield JobFact(label="Group", text=single_line(job.group, 200), url=group_url(job.group))
    if not job.watched:
        yield JobFact(label="Watched", text="no longer")
    elif job.rule is not None:
        yield JobFact(label="Watched by rule", text=single_line(job.rule, 300), code=True)
    if job.last_error:
        yield JobFact(label="Last error", text=single_line(job.last_error, 300))


def _api_facts(details: JobDetails) -> Iterator[JobFact]:
    """What the API reports about the job."""
    texts = (
        ("Input", details.input_filename, True),
        ("Result", details.result_filename, True),
        ("Storage", details.storage_id, True),
        ("Type", details.job_type, False),
        ("Overture release", details.overture_release, False),
        ("Orbis version", details.orbis_version, False),
    )
    for label, text, code in texts:
        if text:
            yield JobFact(label=label, text=single_line(text, 300), code=code, copied=code)
    if details.requested_at is not None:
        yield JobFact(label="Requested", at=details.requested_at)
    statistics = details.statistics
    if statistics is None:
        return
    if statistics.execution_time is not None:
        yield JobFact(label="Execution time", text=formatting.span(statistics.execution_time))
    if statistics.confidence_threshold is not None:
        yield JobFact(label="Confidence threshold", text=str(statistics.confidence_threshold))


def _runs(found: JobHistory) -> Runs:
    """This job after the earlier runs of its input. One that has not ended yet shows what was."""
    earlier = list(reversed(found.runs[:_MOST_RUNS]))  # they come newest first, without this one
    this = _this_run(found.job)
    if not earlier:
        return Runs()
    runs = [*((run, False) for run in earlier), *([(this, True)] if this else [])]
    return Runs(
        words=_compared(earlier[-1], this),
        plots=tuple(_plots(runs)),
        rows=tuple(_run_row(run, this=is_this) for run, is_this in reversed(runs)),
    )


def _this_run(job: JobRow) -> Run | None:
    if job.job is None or job.job.statistics is None or job.status != Status.SUCCESS or job.status_since is None:
        return None
    return finished(job.job, ended_at=job.status_since, running_since=None)


def _compared(before: Run, this: Run | None) -> str:
    """What differs from the previous run, in one sentence."""
    if this is None:
        return "The results of earlier runs."
    parts = []
    if this.matched is not None and before.matched is not None:
        points = 100 * (this.matched - before.matched)
        parts.append(f"matched {points:+.1f} points".replace("-", "−"))  # noqa: RUF001 (a minus is one)
    for now, then, one in ((this.roads, before.roads, "roads"), (_seconds(this), _seconds(before), "running time")):
        if now is not None and then:
            change = 100 * (now - then) / then
            parts.append(f"{one} {change:+.1f} %".replace("-", "−"))  # noqa: RUF001
    return f"Compared with the previous run: {', '.join(parts)}." if parts else ""


def _plots(runs: Sequence[tuple[Run, bool]]) -> Iterator[Plot]:
    matched = [
        Point(value=run.matched, text=f"{_name(run, this=this)}: {formatting.share(run.matched)}", this=this)
        for run, this in runs
        if run.matched is not None
    ]
    if len(matched) > 1:
        yield plots.path("Matched", matched, formatting.share)
    took = [
        Point(value=run.ran.total_seconds(), text=f"{_name(run, this=this)}: {formatting.span(run.ran)}", this=this)
        for run, this in runs
        if run.ran is not None
    ]
    if len(took) > 1:
        yield plots.columns("Running time", took, words.span)


def _seconds(run: Run) -> float | None:
    return None if run.ran is None else run.ran.total_seconds()


def _name(run: Run, *, this: bool) -> str:
    return "this job" if this else f"job {run.job_id}"


def _run_row(run: Run, *, this: bool) -> RunRow:
    return RunRow(
        job_id=run.job_id,
        this=this,
        ended=run.ended_at,
        matched=MISSING if run.matched is None else formatting.share(run.matched),
        roads=MISSING if run.roads is None else words.grouped(run.roads),
        length=MISSING if run.kilometres is None else formatting.kilometres(run.kilometres),
        took=MISSING if run.ran is None else formatting.span(run.ran),
    )
