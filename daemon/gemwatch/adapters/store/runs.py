"""The finished runs in the store: adds one for each end, and compares other jobs with them."""

import json
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.notes import paused_until
from gemwatch.adapters.store.tables import Time, learned_runs, microseconds, runs, transitions, watches
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Event
from gemwatch.core.gate import judged
from gemwatch.core.job import JobDetails, Status, is_end
from gemwatch.core.kinds import NeedsReviewFacts
from gemwatch.core.polls.tracked import Transition, Verdict
from gemwatch.core.runs import Input, Run, finished, input_of

LATEST = 20_000  # the most recent runs to learn from
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_FIELDS = tuple(column.name for column in fields(Run))
_values = attrgetter(*_FIELDS)
_FIRST = 10**17  # microseconds: puts learned runs before all others, in the order of their requests
# All runs: those that were observed, and those that were learned from lists, which count as older.
PAST = sa.union_all(
    sa.select(runs.c.id, *(runs.c[name] for name in _FIELDS)),
    sa.select(
        (sa.type_coerce(learned_runs.c.requested_at, sa.BigInteger) - _FIRST).label("id"),
        *(learned_runs.c[name] for name in _FIELDS),
    ),
).subquery("past_runs")
RUN = tuple(PAST.c[name] for name in _FIELDS)
_INPUT_OF_PAST = (PAST.c.storage_id, PAST.c.input_filename, PAST.c.job_type, PAST.c.requested_at)
_ORDER_OF_RUNS = (runs.c.id, *(runs.c[column.name] for column in _INPUT_OF_PAST))
_SOME = 500
_LEARNT = _FIELDS[: _FIELDS.index("ran") + 1]  # the columns for estimates
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
_NEWEST = sa.select(*RUN, PAST.c.id).order_by(PAST.c.id.desc()).limit(_bind("most")).subquery()
_LATEST = sa.select(_NEWEST).order_by(_NEWEST.c.id)
_UNREAD = (
    sa.select(*(PAST.c[name] for name in _LEARNT), PAST.c.id)
    .where(PAST.c.id > _bind("after"), PAST.c.status == Status.SUCCESS.value)
    .order_by(PAST.c.id.desc())
    .limit(LATEST)
    .subquery()
)
_NEW = sa.select(_UNREAD).order_by(_UNREAD.c.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The runs so far, as of `now`, and what they show about jobs.

    `previous`: for a successful job, the last SUCCESS on the same input that was seen before its own and was not
    requested later. `paused_until`: nothing is polled before.
    """

    now: datetime
    experience: Experience
    previous: Mapping[int, Run]
    paused_until: datetime | None = None


class ExperienceReader:
    """An `Experience` that follows the store: each read gets only the runs that were added since the last one."""

    def __init__(self) -> None:
        self._experience = Experience()
        self._read_to = -_FIRST
        self._learned: tuple[int, int | None] = (0, None)

    def experience(self, connection: sa.Connection) -> Experience:
        if (learned := learned_marker(connection)) != self._learned:
            self._experience, self._read_to, self._learned = Experience(), -_FIRST, learned
        for row in connection.execute(_NEW, {"after": self._read_to}):
            *values, self._read_to = row
            self._experience.add(Run(**dict(zip(_LEARNT, values, strict=True))))
        return self._experience

    def past(self, connection: sa.Connection, now: datetime, jobs: Sequence[int] | None = None) -> Past:
        """The past of these jobs, or of all."""
        return Past(
            now=now,
            experience=self.experience(connection),
            previous=previous_runs(connection, jobs),
            paused_until=paused_until(connection),
        )


def learned_marker(connection: sa.Connection) -> tuple[int, int | None]:
    """A value that changes when runs are learned, or replaced by observed ones."""
    row = connection.execute(sa.select(sa.func.count(), sa.func.max(learned_runs.c.job_id))).one()
    return row[0], row[1]


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
    connection.execute(sa.insert(runs), [dict(zip(_FIELDS, _values(run), strict=True)) for run, _ in ended.values()])
    return ended


def _finished(move: Transition, start: Any, last_end: datetime | None) -> Run:
    # The start of a job that was running at first sight is unknown. A start before the last end does not count.
    seen = start is not None and start.before is not None and (last_end is None or start.observed_at > last_end)
    running_since = start.observed_at if seen else None
    return finished(move.job, ended_at=move.observed_at, running_since=running_since, last_end=last_end)


def latest_runs(connection: sa.Connection, most: int = LATEST) -> list[Run]:
    """The most recent runs, oldest first."""
    return [run_of(row) for row in connection.execute(_LATEST, {"most": most})]


def load_experience(engine: sa.Engine) -> Experience:
    with engine.begin() as connection:
        return ExperienceReader().experience(connection)


def previous_runs(connection: sa.Connection, jobs: Sequence[int] | None = None) -> dict[int, Run]:
    """`Past.previous` for each of these jobs (None: all) that succeeded.

    The rows are matched here: a database compares each with every other one on the same input, or with all.
    """
    newest = sa.select(sa.func.max(runs.c.id)).where(runs.c.status == Status.SUCCESS.value).group_by(runs.c.job_id)
    if jobs is not None:
        newest = newest.where(runs.c.job_id.in_(jobs))
    own = connection.execute(sa.select(runs.c.job_id, *_ORDER_OF_RUNS).where(runs.c.id.in_(newest))).all()
    inputs = {(row.storage_id, row.input_filename) for row in own}
    query = sa.select(PAST.c.id, *_INPUT_OF_PAST).where(PAST.c.status == Status.SUCCESS.value).order_by(PAST.c.id)
    if len(inputs) <= _SOME:
        query = query.where(sa.tuple_(PAST.c.storage_id, PAST.c.input_filename).in_(inputs))
    same = defaultdict[Any, list[Any]](list)
    for row in connection.execute(query):
        same[row.storage_id, row.input_filename, row.job_type].append(row)
    found = {}
    for row in own:
        if row.storage_id is not None and row.input_filename is not None:
            successes = same[row.storage_id, row.input_filename, row.job_type]
            earlier = reversed(successes[: bisect_left(successes, row.id, key=attrgetter("id"))])
            if (before := next((one for one in earlier if _is_not_after(one, row)), None)) is not None:
                found[row.job_id] = before.id
    ids, by_id = sorted(set(found.values())), dict[int, Run]()
    for start in range(0, len(ids), _SOME):
        some = PAST.c.id.in_(ids[start : start + _SOME])
        by_id |= {row.id: run_of(row) for row in connection.execute(sa.select(*RUN, PAST.c.id).where(some))}
    return {job_id: by_id[run_id] for job_id, run_id in found.items()}


def _is_not_after(earlier: Any, asked: Any) -> bool:
    """As `_not_after`."""
    return (
        earlier.requested_at is None or asked.requested_at is None or bool(earlier.requested_at <= asked.requested_at)
    )


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
    return Run(**{name: getattr(row, name) for name in _FIELDS})
