"""The finished runs in the store: adds one for each end, and compares other jobs with them."""

import json
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.tables import Time, learned_runs, microseconds, runs, transitions, watches
from gemwatch.core.events import Event
from gemwatch.core.gate import judged
from gemwatch.core.job import JobDetails, Status, is_end
from gemwatch.core.kinds import NeedsReviewFacts
from gemwatch.core.polls.tracked import Transition, Verdict
from gemwatch.core.runs import Input, Run, finished, input_of

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
FIELDS = tuple(column.name for column in fields(Run))
_values = attrgetter(*FIELDS)
FIRST = 10**17  # microseconds: puts learned runs before all others, in the order of their requests
# All runs: those that were observed, and those that were learned from lists, which count as older.
PAST = sa.union_all(
    sa.select(runs.c.id, *(runs.c[name] for name in FIELDS)),
    sa.select(
        (sa.type_coerce(learned_runs.c.requested_at, sa.BigInteger) - FIRST).label("id"),
        *(learned_runs.c[name] for name in FIELDS),
    ),
).subquery("past_runs")
RUN = tuple(PAST.c[name] for name in FIELDS)
_bind = sa.bindparam

# For each of these jobs: when it last started to run, and when it last ended.
_STARTS = sa.select(transitions.c.job_id, transitions.c.before, transitions.c.observed_at).where(
    transitions.c.id.in_(
        sa.select(sa.func.max(transitions.c.id))
        .where(
            transitions.c.job_id.in_(_bind("ids", expanding=True)),
            transitions.c.after == Status.IN_PROGRESS.value,
        )
        .group_by(transitions.c.job_id)
    )
)
_LAST_ENDS = (
    sa.select(runs.c.job_id, sa.func.max(runs.c.ended_at).label("ended_at"))
    .where(runs.c.job_id.in_(_bind("ids", expanding=True)))
    .group_by(runs.c.job_id)
)


def _not_after(earlier: sa.ColumnElement[Any], asked: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Order by request: several ends between two polls are seen in any order."""
    return sa.or_(earlier.is_(None), asked.is_(None), earlier <= asked)


SUCCESSES = (  # before the parameters from `place_of`, newest first
    sa.select(*RUN)
    .where(
        PAST.c.storage_id == _bind("storage_id"),
        PAST.c.input_filename == _bind("input_filename"),
        PAST.c.job_type.is_not_distinct_from(_bind("job_type")),
        PAST.c.status == Status.SUCCESS.value,
        _not_after(PAST.c.requested_at, _bind("requested_at", type_=Time)),
    )
    .order_by(PAST.c.id.desc())
)
_BEFORE = SUCCESSES.limit(1)
_INT, _TEXT = sa.BigInteger(), sa.Text()
_PLACES = dialects.rows(  # the fields of `place_of`, in its order
    "places", job_id=_INT, storage_id=_TEXT, input_filename=_TEXT, job_type=_TEXT, requested_at=_INT
)


def _latest_success(table: sa.Table, key: sa.Column[int]) -> sa.ScalarSelect[int]:
    """The key of the last SUCCESS before each place. Through the union of both tables, SQLite finds no index."""
    return (
        sa.select(key)
        .where(
            table.c.storage_id == _PLACES.c.storage_id,
            table.c.input_filename == _PLACES.c.input_filename,
            table.c.job_type.is_not_distinct_from(_PLACES.c.job_type),
            table.c.status == Status.SUCCESS.value,
            _not_after(sa.type_coerce(table.c.requested_at, _INT), _PLACES.c.requested_at),
        )
        .order_by(key.desc())
        .limit(1)
        .scalar_subquery()
        .correlate(_PLACES)
    )


_BEFORE_EACH = sa.select(
    _PLACES.c.job_id,
    _latest_success(runs, runs.c.id).label("observed"),
    _latest_success(learned_runs, learned_runs.c.job_id).label("learned"),
)
_MARK = (
    sa.update(watches)
    .where(watches.c.job_id == _bind("_job_id"))
    .values(job_type=_bind("job_type"), needs_review=_bind("needs_review"))
)


def add_news(connection: sa.Connection, verdicts: Sequence[Verdict]) -> tuple[list[Event], list[Run]]:
    """The events of polls with news, one per job, and the runs that ended with them. Records these runs and compares
    them with the previous ones."""
    ended = _add_runs(connection, [move for one in verdicts if (move := one.transition) and is_end(move.job.status)])
    events, marks = list[Event](), []
    for verdict in verdicts:
        happened, move = verdict.events, verdict.transition
        if move is not None:
            if verdict.job_id in ended:
                run, before = ended[verdict.job_id]
                happened = tuple(judged(event, run, before, verdict.gate) for event in happened)
            why = next((list(one.facts.reasons) for one in happened if isinstance(one.facts, NeedsReviewFacts)), None)
            marks.append({"_job_id": verdict.job_id, "job_type": move.job.job_type, "needs_review": why})
        events += happened
    if marks:
        connection.execute(_MARK, marks)
    return events, [run for run, _ in ended.values()]


def _add_runs(connection: sa.Connection, moves: Sequence[Transition]) -> dict[int, tuple[Run, Run | None]]:
    """Record the runs that ended with these transitions. Returns for each job its run, and the previous SUCCESS on
    the same input, which may have ended at the same time: runs are recorded in the order of their requests."""
    if not moves:
        return {}
    ids = {"ids": [move.job.job_id for move in moves]}
    starts = {row.job_id: row for row in connection.execute(_STARTS, ids)}
    last_ends = {row.job_id: row.ended_at for row in connection.execute(_LAST_ENDS, ids)}
    before_each = _last_successes(connection, [move.job for move in moves])
    ended: dict[int, tuple[Run, Run | None]] = {}
    latest = dict[Input, Run]()
    for move in sorted(moves, key=lambda one: one.job.requested_at or _LONG_AGO):
        job_id = move.job.job_id
        run = _finished(move, starts.get(job_id), last_ends.get(job_id))
        before = None
        if same := input_of(run):
            before = latest.get(same) or before_each.get(job_id)
            if run.status == Status.SUCCESS:
                latest[same] = run
        ended[job_id] = run, before
    connection.execute(sa.delete(learned_runs).where(learned_runs.c.job_id.in_(ids["ids"])))
    connection.execute(sa.insert(runs), [dict(zip(FIELDS, _values(run), strict=True)) for run, _ in ended.values()])
    return ended


def _finished(move: Transition, start: Any, last_end: datetime | None) -> Run:
    # The start of a job that was running at first sight is unknown. A start before the last end does not count.
    seen = start is not None and start.before is not None and (last_end is None or start.observed_at > last_end)
    running_since = start.observed_at if seen else None
    return finished(move.job, ended_at=move.observed_at, running_since=running_since, last_end=last_end)


def _last_successes(connection: sa.Connection, jobs: Sequence[JobDetails]) -> dict[int, Run]:
    """For each of these jobs that has one, the last SUCCESS on the same input that was not requested later."""
    places = {job.job_id: place for job in jobs if (place := place_of(job)) is not None}
    if not places:
        return {}
    rows = json.dumps([[job_id, *place.values()] for job_id, place in places.items()], default=microseconds)
    found = connection.execute(_BEFORE_EACH, {"places": rows}).all()
    ids = {row.observed for row in found if row.observed is not None}
    observed = {row.id: run_of(row) for row in connection.execute(sa.select(runs).where(runs.c.id.in_(ids)))}
    learned = [row.job_id for row in found if row.observed is None and row.learned is not None]
    return {
        **{row.job_id: observed[row.observed] for row in found if row.observed is not None},
        **{job_id: run_of(connection.execute(_BEFORE, places[job_id]).one()) for job_id in learned},
    }


def place_of(job: JobDetails | Run) -> dict[str, Any] | None:
    """The parameters for `SUCCESSES`; None if the job's input is unknown."""
    same = input_of(job)
    names = ("storage_id", "input_filename", "job_type")
    return same and {**dict(zip(names, same, strict=True)), "requested_at": job.requested_at}


def run_of(row: Any) -> Run:
    """The run in a row with the table's columns and possibly others."""
    return Run(**{name: getattr(row, name) for name in FIELDS})
