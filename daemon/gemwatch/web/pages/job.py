"""What the page of one job shows in addition to what the list shows of it: pure functions, as in `jobs.py`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gemwatch.core.job import JobDetails, Status
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import jobs as present
from gemwatch.web.pages import plots, words
from gemwatch.web.pages.deliveries import DeliveryRow, delivery
from gemwatch.web.pages.plots import Plot, Point
from gemwatch.web.pages.timeline import Timeline, timeline
from gemwatch.web.pages.words import MISSING, Badge, Remark

Json = Mapping[str, Any]
_MOST_RUNS = 20  # in addition to this one: the latest


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A line of the list of facts: a text, or a time shown as `how` says."""

    label: str
    text: str = ""
    code: bool = False
    at: datetime | None = None
    how: str = "moment"
    copied: bool = False  # there is a button to copy the text


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
class JobPage:
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
    progress: present.Outlook | None
    outcome: str | None
    timeline: Timeline
    facts: tuple[Fact, ...]
    runs: Runs
    deliveries: tuple[DeliveryRow, ...]


def job_page(job: Json, now: datetime) -> JobPage:
    details, row = present.details_of(job), present.row(job, now)
    return JobPage(
        job_id=row.job_id,
        title=row.title,
        subtitle=f"Job {row.job_id}" if job["name"] else "",
        badge=row.badge,
        ended=row.ended,
        since=row.since,
        since_word="seen finished" if job["finished"] else f"first seen {_in_a_sentence(row.badge)}",
        remarks=row.remarks,
        headline=_headline(details),
        match=row.match,
        progress=row.progress,
        outcome=row.outcome,
        timeline=timeline(job["transitions"], details.requested_at if details else None, now),
        facts=tuple(_facts(job, details)),
        runs=_runs(job, details),
        deliveries=tuple(delivery(one) for one in reversed(job["deliveries"])),
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


def _facts(job: Json, details: JobDetails | None) -> Iterator[Fact]:
    yield Fact(label="Job id", text=str(job["job_id"]), code=True, copied=True)
    yield Fact(label="Status", text=single_line(job["status"], 64) if job["status"] else "not seen yet", code=True)
    for reason in job.get("failure") or ():
        yield Fact(label="GEM", text=single_line(str(reason), 300))
    if details is not None:
        yield from _said(details)
    for label, key in (("Last poll", "last_polled_at"), ("Next poll", "next_poll_at")):
        if (at := words.time(job[key])) is not None and not (key == "next_poll_at" and job["finished"]):
            yield Fact(label=label, at=at, how="ago" if key == "last_polled_at" else "until")
    if not job["watched"]:
        yield Fact(label="Watched", text="no longer")
    if job["last_error"]:
        yield Fact(label="Last error", text=single_line(job["last_error"], 300))


def _said(details: JobDetails) -> Iterator[Fact]:
    """What the API says of the job."""
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
            yield Fact(label=label, text=single_line(text, 300), code=code, copied=code)
    if details.requested_at is not None:
        yield Fact(label="Requested", at=details.requested_at)
    statistics = details.statistics
    if statistics is None:
        return
    if statistics.execution_time is not None:
        yield Fact(label="Execution time", text=formatting.span(statistics.execution_time))
    if statistics.confidence_threshold is not None:
        yield Fact(label="Confidence threshold", text=str(statistics.confidence_threshold))


def _runs(job: Json, details: JobDetails | None) -> Runs:
    """This job after the earlier runs of its input. One that has not ended yet shows what was."""
    earlier = list(reversed(job["runs"][:_MOST_RUNS]))  # they come newest first, without this one
    this = _this_run(job, details)
    if not earlier:
        return Runs()
    runs = [*((run, False) for run in earlier), *([(this, True)] if this else [])]
    return Runs(
        words=_compared(earlier[-1], this),
        plots=tuple(_plots(runs)),
        rows=tuple(_run_row(run, this=is_this) for run, is_this in reversed(runs)),
    )


def _this_run(job: Json, details: JobDetails | None) -> Json | None:
    statistics = details.statistics if details else None
    if job["status"] != Status.SUCCESS or statistics is None:
        return None
    took = statistics.execution_time
    return {
        "job_id": job["job_id"],
        "ended_at": job["status_since"],
        "matched": statistics.matched,
        "roads": statistics.roads,
        "kilometres": statistics.kilometres,
        "running_seconds": None if took is None else took.total_seconds(),
    }


def _compared(before: Json, this: Json | None) -> str:
    """What differs from the previous run, in one sentence."""
    if this is None:
        return "The results of earlier runs."
    parts = []
    if this["matched"] is not None and before["matched"] is not None:
        points = 100 * (this["matched"] - before["matched"])
        parts.append(f"matched {points:+.1f} points".replace("-", "−"))  # noqa: RUF001 (a minus is one)
    for key, one in (("roads", "roads"), ("running_seconds", "running time")):
        if this[key] is not None and before[key]:
            change = 100 * (this[key] - before[key]) / before[key]
            parts.append(f"{one} {change:+.1f} %".replace("-", "−"))  # noqa: RUF001
    return f"Compared with the previous run: {', '.join(parts)}." if parts else ""


def _plots(runs: Sequence[tuple[Json, bool]]) -> Iterator[Plot]:
    matched = [
        Point(value=run["matched"], text=f"{_name(run, this=this)}: {formatting.share(run['matched'])}", this=this)
        for run, this in runs
        if run["matched"] is not None
    ]
    if len(matched) > 1:
        yield plots.path("Matched", matched, formatting.share)
    took = [
        Point(
            value=run["running_seconds"],
            text=f"{_name(run, this=this)}: {words.span(run['running_seconds'])}",
            this=this,
        )
        for run, this in runs
        if run["running_seconds"] is not None
    ]
    if len(took) > 1:
        yield plots.columns("Running time", took, words.span)


def _name(run: Json, *, this: bool) -> str:
    return "this job" if this else f"job {run['job_id']}"


def _run_row(run: Json, *, this: bool) -> RunRow:
    return RunRow(
        job_id=run["job_id"],
        this=this,
        ended=words.time(run["ended_at"]),
        matched=MISSING if run["matched"] is None else formatting.share(run["matched"]),
        roads=MISSING if run["roads"] is None else words.grouped(run["roads"]),
        length=MISSING if run["kilometres"] is None else formatting.kilometres(run["kilometres"]),
        took=MISSING if run["running_seconds"] is None else words.span(run["running_seconds"]),
    )
