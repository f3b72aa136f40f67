"""What leaves the pages for other programs: the list of jobs as CSV, and a badge for other pages."""

import csv
import io
from collections.abc import Iterable, Mapping
from html import escape

from gemwatch.adapters.store.reads.json_shapes import as_text
from gemwatch.adapters.store.reads.rows import JobRow, ServiceState
from gemwatch.core.health import ApiState, Login
from gemwatch.core.job import Status
from gemwatch.core.text import formatting
from gemwatch.web.pages.jobs import badge

COLUMNS = (
    "job_id",
    "name",
    "status",
    "state",
    "status_since",
    "requested_at",
    "input_filename",
    "result_filename",
    "matched",
    "roads",
    "kilometres",
    "running_seconds",
    "expected_end",
    "last_polled_at",
    "remarks",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how spreadsheets recognize what they run
_COLORS = {"bad": "#b3261e", "run": "#1b57c4", "good": "#1d7a3e", "calm": "#59636e"}


def jobs_csv(jobs: Iterable[JobRow]) -> str:
    """RFC 4180, with a line of names. No cell can act as a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _values(job)] for job in jobs)
    return text.getvalue().encode(errors="replace").decode()  # texts from outside may hold halves of characters


def _values(job: JobRow) -> tuple[object, ...]:
    details = job.job
    statistics = details.statistics if details else None
    ran = statistics.execution_time if statistics else None
    remarks = [
        *job.failure,
        *job.needs_review,
        *([job.last_error] if job.last_error else ()),
    ]
    return (
        job.job_id,
        job.name,
        job.status,
        badge(job).word,
        as_text(job.status_since),
        as_text(details.requested_at) if details else None,
        details.input_filename if details else None,
        details.result_filename if details else None,
        statistics.matched if statistics else None,
        statistics.roads if statistics else None,
        statistics.kilometres if statistics else None,
        None if ran is None else ran.total_seconds(),
        as_text(job.estimate.ends_at) if job.estimate else None,
        as_text(job.polled_at),
        "; ".join(remarks),
    )


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def badge_svg(service: ServiceState, states: Mapping[str, int], stalled: str | None) -> str:
    """How everything is in a few words, without a name of anything."""
    words_shown, tone = _status(service, states, stalled)
    left, right = 64, 14 + round(6.6 * len(words_shown))
    label = escape(f"gemwatch: {words_shown}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{label}">'
        f'<title>{label}</title><rect width="{left}" height="20" fill="#3a4149"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_COLORS[tone]}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2}" y="14">gemwatch</text>'
        f'<text x="{left + right / 2}" y="14">{escape(words_shown)}</text></g></svg>'
    )


def _status(service: ServiceState, states: Mapping[str, int], stalled: str | None) -> tuple[str, str]:
    failures = (
        (service.store_failure or stalled, "not working"),
        (service.login is Login.REFUSED, "login refused"),
        (service.api is ApiState.DOWN, "GEM API down"),
    )
    for failing, what in failures:
        if failing:
            return what, "bad"
    for status, what, tone in (
        (Status.FAILED, "failed", "bad"),
        (Status.IN_PROGRESS, "running", "run"),
        (Status.REQUESTED, "waiting", "calm"),
    ):
        if number := states.get(status, 0):
            return f"{number:,} {what}", tone
    total = sum(states.values())
    return (formatting.counted(total, "job", "jobs"), "good") if total else ("no jobs", "calm")
