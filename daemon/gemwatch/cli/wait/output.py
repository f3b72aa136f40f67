"""What `gemwatch wait` says: a table on a terminal, else a line for each change, and one document at the end."""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from gemwatch.adapters.store.records import as_text, details_of
from gemwatch.cli.tables import coloured, expected, table, zone
from gemwatch.core.job import is_end
from gemwatch.core.outcome import EXIT_CODES, Outcome
from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.core.waiting import Source, Standing

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live


_MOST_IDS = 20  # in a sentence
_ALWAYS = ("Job", "Status", "For", "Told by")  # of the table's columns; the others where there is something in them
_TOLD_BY = {Source.DAEMON: "daemon", Source.API: "API"}
_GONE = (Outcome.NOT_FOUND, Outcome.LOGIN_REFUSED)  # how such a job goes on cannot be seen
_CUT_SHORT = {
    Outcome.TIMED_OUT: "the time is up",
    Outcome.INTERRUPTED: "interrupted",
    Outcome.TERMINATED: "stopped by SIGTERM",
}
_WELL = (Outcome.SUCCESS, Outcome.NEEDS_REVIEW)
_LOGIN_REMEDY = (
    "Renew the login (az login, unless the configuration says otherwise) and check the API key; "
    "gemwatch token shows whether the login works"
)


class Shown(Protocol):
    """Told of all standings every second or so, and whenever they may have changed."""

    def show(self, standings: Sequence[Standing]) -> None: ...


class Nothing:
    """For `--json`, whose document comes at the end."""

    def show(self, standings: Sequence[Standing]) -> None:
        pass


class Lines:
    """`TIME JOB_ID STATUS WORDS`, one line for each change, for logs and pipes."""

    def __init__(self) -> None:
        self._said: dict[int, str] = {}

    def show(self, standings: Sequence[Standing]) -> None:
        for standing in standings:
            word = _word(standing)
            if word is not None and word != self._said.get(standing.job_id):
                self._said[standing.job_id] = word
                time = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
                put(" ".join([time, str(standing.job_id), word, *_words(standing)]))


class Table:
    """One line for each job, kept up to date in place."""

    def __init__(self, live: "Live") -> None:
        self._live = live

    def show(self, standings: Sequence[Standing]) -> None:
        self._live.update(_table(standings), refresh=True)


class Troubles:
    """Says on standard error, once, that the API does not answer, and once that it does again."""

    def __init__(self) -> None:
        self._said = False

    def show(self, standings: Sequence[Standing]) -> None:
        troubled = next((one for one in standings if one.outcome is None and one.failures), None)
        if troubled is not None and not self._said:
            why = single_line(troubled.trouble or "no answer", 300)
            say(f"job {troubled.job_id}: {why}. Its end cannot be seen now; trying again until it can")
        elif troubled is None and self._said:
            say("the API answers again")
        self._said = troubled is not None


def say(sentence: str) -> None:
    # Not typer.echo: while a table is shown, `sys.stderr` is what puts lines above it.
    print(f"gemwatch: {sentence}", file=sys.stderr, flush=True)


def explain(standings: Sequence[Standing], outcome: Outcome) -> None:
    """On standard error: what the exit code alone does not say, and what to do."""
    for standing in standings:
        if standing.outcome is Outcome.NOT_FOUND:
            say(f"job {standing.job_id} is not found: check the id, and that this account may see it")
    refused = [standing for standing in standings if standing.outcome is Outcome.LOGIN_REFUSED]
    if refused:
        why = single_line(refused[0].trouble or "refused", 500).rstrip(".")
        say(f"login: {why}. How {_ids(refused)} will end cannot be seen. {_LOGIN_REMEDY}")
    left = [standing for standing in standings if standing.outcome is None]
    if left and outcome in _CUT_SHORT:
        say(f"{_CUT_SHORT[outcome]}; not yet at an end: {_ids(left)}")
    elif left and outcome not in _WELL:
        say(f"no longer waited for: {_ids(left)}")


def _ids(standings: Sequence[Standing]) -> str:
    ids = ", ".join(str(standing.job_id) for standing in standings[:_MOST_IDS])
    more = f" and {len(standings) - _MOST_IDS} more" if len(standings) > _MOST_IDS else ""
    return f"{'job' if len(standings) == 1 else 'jobs'} {ids}{more}"


def put(text: str) -> None:
    """A line, or the document, on standard output, at once. That nobody can read it does not change how jobs end."""
    try:
        print(text, flush=True)
    except OSError as error:
        if not isinstance(error, BrokenPipeError):  # whose reader has seen enough
            say(f"standard output cannot be written: {error.strerror}. The exit code is right all the same")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def document(standings: Sequence[Standing], outcome: Outcome) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "jobs": [_job(standing) for standing in standings],
        "outcome": outcome.value,
        "exit_code": EXIT_CODES[outcome],
    }


def _job(standing: Standing) -> dict[str, Any]:
    return {
        "job_id": standing.job_id,
        "name": standing.name,
        "status": standing.status,
        "status_since": as_text(standing.status_since),
        "finished": is_end(standing.status),
        "outcome": standing.outcome and standing.outcome.value,
        "needs_review": list(standing.needs_review),
        "source": standing.source and standing.source.value,
        "last_seen_at": as_text(standing.seen_at),
        "last_error": standing.trouble,
        "estimate": standing.estimate,
        "details": standing.job and details_of(standing.job.document),
    }


def _word(standing: Standing) -> str | None:
    """The status, or what took its place."""
    if standing.outcome in _GONE:
        return standing.outcome.value
    return standing.status and single_line(standing.status, 64)


def _words(standing: Standing) -> Iterator[str]:
    if standing.name:
        yield f'"{single_line(standing.name, 80)}"'
    if standing.outcome in _GONE:
        yield single_line(standing.trouble or "", 300)
    elif remarks := "; ".join(_result(standing)):
        yield remarks


def _result(standing: Standing) -> Iterator[str]:
    """What there is to say of a job that has ended."""
    job = standing.job
    if not is_end(standing.status) or job is None:
        return
    if job.statistics is not None and job.statistics.matched is not None:
        yield f"matched {formatting.share(job.statistics.matched)}"
    if job.result_filename:
        yield f"result {single_line(job.result_filename, 120)}"
    if standing.needs_review:
        yield f"needs review: {', '.join(standing.needs_review)}"


def _table(standings: Sequence[Standing]) -> "Group":
    from rich.console import Group
    from rich.text import Text

    now = datetime.now(UTC)
    rows = [_row(standing, now) for standing in standings]
    shown = [name for name in rows[0] if name in _ALWAYS or any(row[name] for row in rows)]
    cells = ([row[name] or " " for name in shown] for row in rows)
    open_jobs = sum(standing.outcome is None for standing in standings)
    line = f"Waiting for {open_jobs} of {formatting.counted(len(standings), 'job', 'jobs')}. " if open_jobs else ""
    return Group(table(shown, cells), Text(line + zone()))


def _row(standing: Standing, now: datetime) -> dict[str, Any]:
    gone = standing.outcome in _GONE
    return {
        "Job": str(standing.job_id),
        "Name": standing.name,
        "Status": coloured(_word(standing) if gone else standing.status),
        "For": _elapsed(standing, now),
        "Expected end": None if standing.outcome else expected(standing.estimate),
        "Told by": standing.source and _TOLD_BY[standing.source],
        "Remark": "; ".join(_result(standing)) or standing.trouble,
    }


def _elapsed(standing: Standing, now: datetime) -> str | None:
    """Since it was requested; for a job that has ended, how long it ran."""
    job = standing.job
    if job is None:
        return None
    if is_end(standing.status):
        took = None if job.statistics is None else job.statistics.execution_time
        return None if took is None else formatting.span(took)
    return formatting.span(max(timedelta(), now - job.requested_at)) if job.requested_at else None
