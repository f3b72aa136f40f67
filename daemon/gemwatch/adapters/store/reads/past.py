"""The runs so far: what they teach about running times, and the previous run of a job."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.notes import paused_until
from gemwatch.adapters.store.runs import FIELDS, FIRST, PAST, RUN, run_of
from gemwatch.adapters.store.tables import learned_runs, runs
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.job import Status
from gemwatch.core.runs import Run

LATEST = 20_000  # the most recent runs to learn from
_SOME = 500
_INPUT = (PAST.c.storage_id, PAST.c.input_filename, PAST.c.job_type, PAST.c.requested_at)
_LEARNT = FIELDS[: FIELDS.index("ran") + 1]  # the columns for estimates
_bind = sa.bindparam

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
        self._read_to = -FIRST
        self._learned: tuple[int, int | None] = (0, None)

    def experience(self, connection: sa.Connection) -> Experience:
        if (learned := learned_marker(connection)) != self._learned:
            self._experience, self._read_to, self._learned = Experience(), -FIRST, learned
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
    columns = (runs.c.job_id, runs.c.id, *(runs.c[one.name] for one in _INPUT))
    own = connection.execute(sa.select(*columns).where(runs.c.id.in_(newest))).all()
    inputs = {(row.storage_id, row.input_filename) for row in own if None not in (row.storage_id, row.input_filename)}
    same = defaultdict[Any, list[Any]](list)
    for row in _successes(connection, None if jobs is None else sorted(inputs)):
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


def _successes(connection: sa.Connection, inputs: Sequence[tuple[str, str]] | None) -> Iterator[Any]:
    """The successes on these inputs (None: all), oldest first for each.

    With one condition on the pair of columns, SQLite would read every run instead of the index.
    """
    query = sa.select(PAST.c.id, *_INPUT).where(PAST.c.status == Status.SUCCESS.value).order_by(PAST.c.id)
    if inputs is None:
        yield from connection.execute(query)
        return
    for start in range(0, len(inputs), _SOME):
        some = set(inputs[start : start + _SOME])
        storages, files = map(set, zip(*some, strict=True))
        found = connection.execute(query.where(PAST.c.storage_id.in_(storages), PAST.c.input_filename.in_(files)))
        yield from (row for row in found if (row.storage_id, row.input_filename) in some)


def _is_not_after(earlier: Any, asked: Any) -> bool:
    """As `_not_after`."""
    return (
        earlier.requested_at is None or asked.requested_at is None or bool(earlier.requested_at <= asked.requested_at)
    )
