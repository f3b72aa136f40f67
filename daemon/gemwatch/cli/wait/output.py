"""What `gemwatch wait` prints: a table on a terminal, else a line for each change, and one document at the end."""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gemwatch.adapters.store.reads.json_shapes import answer_json, as_text, estimate_json
from gemwatch.cli.output import streams
from gemwatch.cli.output.screen import Inline
from gemwatch.cli.output.tables import Cell, Column, ColumnKind, fitted, record, terminal_size, zone
from gemwatch.core.job import UNSEEN, is_end
from gemwatch.core.outcome import EXIT_CODES, Outcome
from gemwatch.core.text import formatting
from gemwatch.core.text.failures import FAILING, Failure
from gemwatch.core.text.sanitize import single_line
from gemwatch.core.text.steps import text_of
from gemwatch.core.waiting import JobStanding, Source

_MOST_IDS = 20  # in a sentence
_COLUMNS = (
    Column(title="Job", kind=ColumnKind.NUMBER),
    Column(title="Name", kind=ColumnKind.TEXT, least=18),
    Column(title="Status", kind=ColumnKind.WORD),
    Column(title="For", rank=1),
    Column(title="Expected end", kind=ColumnKind.TIME, rank=2),
    Column(title="Source", rank=3),
    Column(title="Remark", kind=ColumnKind.TEXT, least=28),
)
_CHANGES = ("Time", "Job", "Status", "Name", "Remark")
_SOURCES = {Source.DAEMON: "daemon", Source.API: "API"}
_GONE = (Outcome.NOT_FOUND, Outcome.LOGIN_REFUSED)  # what becomes of such a job cannot be seen
_CUT_SHORT = {
    Outcome.TIMED_OUT: "--timeout has passed",
    Outcome.INTERRUPTED: "interrupted",
    Outcome.TERMINATED: "stopped by SIGTERM",
}
_WELL = (Outcome.SUCCESS, Outcome.NEEDS_REVIEW)


class Shown:
    """Gets all standings every second or so, and whenever they may have changed.

    Itself for `--json`, whose document comes at the end: it shows nothing until then.
    """

    def show(self, standings: Sequence[JobStanding]) -> None:
        pass

    def say(self, sentence: str) -> None:
        """A sentence on standard error."""
        streams.complain(sentence)

    def finish(self) -> None:
        pass


class Lines(Shown):
    """A header, then one line for each change, for logs and pipes. Values are separated by TABs."""

    def __init__(self) -> None:
        self._printed: dict[int, str] = {}

    def show(self, standings: Sequence[JobStanding]) -> None:
        for standing in standings:
            word = _word(standing)
            if word is not None and word != self._printed.get(standing.job_id):
                if not self._printed:
                    put(record(_CHANGES))
                self._printed[standing.job_id] = word
                put(record([datetime.now(UTC), standing.job_id, word, standing.name, _remark(standing)]))


class Table(Shown):
    """One line for each job, kept up to date in place."""

    def __init__(self) -> None:
        self._lines = Inline()

    def show(self, standings: Sequence[JobStanding]) -> None:
        self._lines.paint(_table(standings, width=terminal_size().columns))

    def say(self, sentence: str) -> None:
        self._lines.above(f"gemwatch: {sentence}")

    def finish(self) -> None:
        self._lines.finish()


class Failures:
    """Reports on standard error, once, that the API does not answer, and once that it has recovered."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown
        self._reported = False

    def show(self, standings: Sequence[JobStanding]) -> None:
        failing = next((one for one in standings if one.outcome is None and one.failures), None)
        if failing is not None and not self._reported:
            why = single_line(failing.last_error or "no answer", 300)
            self._shown.say(f"job {failing.job_id}: {why}. Its end cannot be seen now; gemwatch keeps trying")
        elif failing is None and self._reported:
            self._shown.say("the API answers again")
        self._reported = failing is not None


def explain(standings: Sequence[JobStanding], outcome: Outcome) -> None:
    """On standard error: what the exit code alone does not say, and what to do."""
    for standing in standings:
        if standing.outcome is Outcome.UNKNOWN_STATUS:
            streams.complain(
                f"job {standing.job_id} has status {single_line(standing.status or '', 64)}, which gemwatch does not "
                "know. Check the job in TomTom's API; a newer gemwatch may know the status"
            )
        elif standing.outcome is Outcome.NOT_FOUND:
            streams.complain(f"job {standing.job_id} is not found: check the id, and that this account may see it")
    refused = [standing for standing in standings if standing.outcome is Outcome.LOGIN_REFUSED]
    if refused:
        why = single_line(refused[0].last_error or "refused", 500).rstrip(".")
        remedy = refused[0].remedy or text_of(FAILING[Failure.LOGIN].steps())
        streams.complain(f"login: {why}. The end of {_ids(refused)} cannot be seen. {remedy}")
    left = [standing for standing in standings if standing.outcome is None]
    if left and outcome in _CUT_SHORT:
        streams.complain(f"{_CUT_SHORT[outcome]}; not finished yet: {_ids(left)}")
    elif left and outcome not in _WELL:
        streams.complain(f"no longer waited for: {_ids(left)}")


def _ids(standings: Sequence[JobStanding]) -> str:
    ids = ", ".join(str(standing.job_id) for standing in standings[:_MOST_IDS])
    more = f" and {len(standings) - _MOST_IDS} more" if len(standings) > _MOST_IDS else ""
    return f"{'job' if len(standings) == 1 else 'jobs'} {ids}{more}"


def put(text: str) -> None:
    """A line, or the document, on standard output, at once. A closed output does not change how jobs end."""
    try:
        print(text, flush=True)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # its reader has read enough
            streams.complain(
                f"standard output cannot be written: {error.strerror}. The exit code is right all the same"
            )
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def document(standings: Sequence[JobStanding], outcome: Outcome) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "jobs": [_job(standing) for standing in standings],
        "outcome": outcome.value,
        "exit_code": EXIT_CODES[outcome],
    }


def _job(standing: JobStanding) -> dict[str, Any]:
    return {
        "job_id": standing.job_id,
        "name": standing.name,
        "status": standing.status,
        "status_since": as_text(standing.status_since),
        "finished": is_end(standing.status),
        "outcome": standing.outcome and standing.outcome.value,
        "failure": list(standing.job.failure) if standing.job else [],
        "needs_review": list(standing.needs_review),
        "source": standing.source and standing.source.value,
        "last_seen_at": as_text(standing.seen_at),
        "last_error": standing.last_error,
        "estimate": standing.estimate and estimate_json(standing.estimate),
        "details": standing.answer and answer_json(standing.answer),
    }


def _word(standing: JobStanding) -> str | None:
    """The status, or what took its place."""
    if standing.outcome in _GONE:
        return standing.outcome.value
    return standing.status and single_line(standing.status, 64)


def _remark(standing: JobStanding) -> str:
    if standing.outcome in _GONE:
        return standing.last_error or ""
    return "; ".join(_result(standing))


def _result(standing: JobStanding) -> Iterator[str]:
    """What a person should know about a job that has ended."""
    job = standing.job
    if not is_end(standing.status) or job is None:
        return
    yield from (f"GEM: {said}" for said in job.failure)
    if job.statistics is not None and job.statistics.matched is not None:
        yield f"matched {formatting.share(job.statistics.matched)}"
    if job.result_filename:
        yield f"result {single_line(job.result_filename, 120)}"
    if standing.needs_review:
        yield f"needs review: {', '.join(standing.needs_review)}"


def _table(standings: Sequence[JobStanding], *, width: int) -> list[str]:
    now = datetime.now(UTC)
    open_jobs = sum(standing.outcome is None for standing in standings)
    line = f"Waiting for {open_jobs} of {formatting.counted(len(standings), 'job', 'jobs')}. " if open_jobs else ""
    return [*fitted(_COLUMNS, (_row(standing, now) for standing in standings), width=width), "", line + zone()]


def _row(standing: JobStanding, now: datetime) -> list[Cell]:
    expected = None if standing.outcome else standing.estimate
    return [
        standing.job_id,
        standing.name,
        _word(standing) or UNSEEN,
        _elapsed(standing, now),
        expected.ends_at if expected else None,
        standing.source and _SOURCES[standing.source],
        "; ".join([*_result(standing), *(["overdue"] if expected and expected.overdue else [])])
        or standing.last_error,
    ]


def _elapsed(standing: JobStanding, now: datetime) -> str | None:
    """Since it was requested; for a job that has ended, how long it ran."""
    job = standing.job
    if job is None:
        return None
    if is_end(standing.status):
        took = None if job.statistics is None else job.statistics.execution_time
        return None if took is None else formatting.span(took)
    return formatting.span(max(timedelta(), now - job.requested_at)) if job.requested_at else None
