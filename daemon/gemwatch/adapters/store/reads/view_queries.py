"""The statements behind `views.py`: filter, order and page in SQL."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import tables
from gemwatch.adapters.store.databases.replicas import live_replicas
from gemwatch.adapters.store.details import WITH_DETAILS, details_of
from gemwatch.adapters.store.notes import read_notes
from gemwatch.adapters.store.reads.past import ExperienceReader
from gemwatch.adapters.store.reads.rows import (
    TRANSITION,
    DeliveryRow,
    JobHistory,
    JobRow,
    Page,
    ServiceState,
    delivery_row,
    job_row,
    service_state,
    transition_row,
)
from gemwatch.adapters.store.rerouting import read_health
from gemwatch.adapters.store.runs import PAST, SUCCESSES, place_of, run_of
from gemwatch.adapters.store.tables import deliveries, details, events, messages, runs, transitions, watches
from gemwatch.core.job import ENDS, NEEDS_REVIEW, NOT_FOUND, UNSEEN, Status, is_end
from gemwatch.core.runs import Run

_LONG = 200  # rows of a job's history and deliveries on its own page: the newest
_MOST_RUNS = 30

_next_poll = sa.func.coalesce(watches.c.claim, watches.c.due_at)
has_ended = sa.func.coalesce(watches.c.status.in_(ENDS), sa.false())
_not_found = sa.and_(
    ~has_ended, sa.or_(watches.c.reported_missing, sa.and_(watches.c.status.is_(None), watches.c.misses > 0))
)
# What a job counts as: one state each, so that the numbers on the page add up.
job_state = sa.case(
    (sa.and_(watches.c.status == Status.SUCCESS.value, watches.c.needs_review.is_not(None)), NEEDS_REVIEW),
    (_not_found, NOT_FOUND),
    (watches.c.status.is_(None), UNSEEN),
    else_=watches.c.status,
)
_urgency = sa.case(
    (watches.c.status == Status.FAILED.value, 0),
    (job_state == NEEDS_REVIEW, 1),
    (_not_found, 2),
    (sa.and_(~has_ended, watches.c.reported_limits.is_not(None)), 3),
    (sa.and_(~has_ended, watches.c.last_error.is_not(None)), 4),
    (watches.c.status == Status.IN_PROGRESS.value, 5),
    (~has_ended, 6),
    else_=7,
)
BY_ESTIMATE = "expected_end"  # estimates are made of many rows, so they are not sorted by the database
JOB_ORDERS: Mapping[str, sa.ColumnElement[Any]] = {
    "problems": _urgency,
    BY_ESTIMATE: _urgency,
    "matched": details.c.matched,
    "duration": details.c.execution_time,
    "job_id": watches.c.job_id,
    "name": sa.func.lower(watches.c.name),
    "status": watches.c.status,
    "status_since": watches.c.status_since,
    "last_polled_at": watches.c.polled_at,
    "next_poll_at": _next_poll,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The rows from `offset` on, `limit` at most."""

    limit: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which jobs: all that meet everything that is set. `state` is a status, UNSEEN, NOT_FOUND or NEEDS_REVIEW."""

    job_ids: frozenset[int] | None = None
    search: str | None = None
    status: tuple[str, ...] = ()
    watched: bool | None = None
    finished: bool | None = None
    needs_review: bool | None = None
    state: str | None = None
    group: str | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        found: list[sa.ColumnElement[bool]] = []
        if "\0" in "".join((self.search or "", self.state or "", self.group or "", *self.status)):
            return [sa.false()]  # databases end a text there, or refuse it; no text in the store has one
        if self.job_ids is not None:
            found.append(watches.c.job_id.in_(self.job_ids))
        if self.state is not None:
            found.append(job_state == self.state)
        if self.search:
            words = _containing(self.search)
            texts = (sa.cast(watches.c.job_id, sa.Text), watches.c.name, details.c.input_filename)
            found.append(sa.or_(*(text.ilike(words, escape="\\") for text in texts)))
        if self.status:
            known = watches.c.status.in_([status for status in self.status if status != UNSEEN])
            found.append(sa.or_(known, watches.c.status.is_(None)) if UNSEEN in self.status else known)
        if self.watched is not None:
            found.append(watches.c.watched.is_(self.watched))
        if self.finished is not None:
            found.append(has_ended if self.finished else ~has_ended)
        if self.group is not None:
            found.append(watches.c.group_name == self.group)
        if self.needs_review is not None:
            column = watches.c.needs_review
            found.append(column.is_not(None) if self.needs_review else column.is_(None))
        return found


def _containing(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def jobs(
    connection: sa.Connection,
    wanted: Wanted,
    sort: str,
    span: Window,
    *,
    descending: bool,
    learner: ExperienceReader,
    now: datetime,
) -> Page[JobRow]:
    conditions = wanted.conditions()
    if sort == BY_ESTIMATE:
        return _by_estimate(connection, conditions, span, descending=descending, learner=learner, now=now)
    by = JOB_ORDERS[sort]
    order = [(by.desc() if descending else by.asc()).nulls_last(), watches.c.job_id]
    if sort == "problems":
        order.insert(1, watches.c.status_since.desc().nulls_last())
    query = WITH_DETAILS.where(*conditions).order_by(*order)
    total = (
        sa.select(sa.func.count())
        .select_from(watches.outerjoin(details, details.c.job_id == watches.c.job_id))
        .where(*conditions)
    )
    rows = connection.execute(query.limit(span.limit).offset(span.offset)).all()
    past = learner.past(connection, now, [row.job_id for row in rows])
    return Page(
        rows=tuple(job_row(row, past) for row in rows),
        total=connection.execute(total).scalar_one(),
        limit=span.limit,
        offset=span.offset,
    )


def _by_estimate(
    connection: sa.Connection,
    conditions: list[sa.ColumnElement[bool]],
    span: Window,
    *,
    descending: bool,
    learner: ExperienceReader,
    now: datetime,
) -> Page[JobRow]:
    """By expected end; jobs without an estimate come last."""
    rows = connection.execute(WITH_DETAILS.where(*conditions).order_by(watches.c.job_id)).all()
    past = learner.past(connection, now, [row.job_id for row in rows])
    found = [job_row(row, past) for row in rows]
    expected = [one for one in found if one.estimate is not None]
    others = [one for one in found if one.estimate is None]
    expected.sort(key=lambda one: one.estimate.ends_at if one.estimate else now, reverse=descending)
    shown = [*expected, *others][span.offset : span.offset + span.limit]
    return Page(rows=tuple(shown), total=len(found), limit=span.limit, offset=span.offset)


def states(connection: sa.Connection, wanted: Wanted) -> dict[str, int]:
    """How many of these jobs count as what: a status, UNSEEN, NOT_FOUND or NEEDS_REVIEW."""
    counts = (
        sa.select(job_state, sa.func.count())
        .select_from(watches.outerjoin(details, details.c.job_id == watches.c.job_id))
        .where(*wanted.conditions())
        .group_by(job_state)
    )
    return {row[0]: row[1] for row in connection.execute(counts)}


def job(connection: sa.Connection, job_id: int, *, learner: ExperienceReader, now: datetime) -> JobHistory | None:
    row = connection.execute(WITH_DETAILS.where(watches.c.job_id == job_id)).first()
    if row is None:
        return None
    moves = sa.select(*TRANSITION).where(transitions.c.job_id == job_id).order_by(transitions.c.id.desc())
    sent = _with_text().where(events.c.job_id == job_id).order_by(deliveries.c.id.desc())
    return JobHistory(
        job=job_row(row, learner.past(connection, now, [job_id])),
        transitions=tuple(transition_row(r) for r in reversed(connection.execute(moves.limit(_LONG)).all())),
        deliveries=tuple(delivery_row(r) for r in reversed(connection.execute(sent.limit(_LONG)).all())),
        runs=_earlier_runs(connection, row),
    )


def _earlier_runs(connection: sa.Connection, row: Any) -> tuple[Run, ...]:
    """The successes on the same input, newest first: those before its own, where the job has ended."""
    details_found = details_of(row)
    place = None if details_found is None else place_of(details_found)
    if place is None:
        return ()
    query = SUCCESSES.limit(_MOST_RUNS)
    if is_end(row.status):
        own = sa.select(sa.func.max(runs.c.id)).where(runs.c.job_id == row.job_id).scalar_subquery()
        query = query.where(PAST.c.id < own)
    return tuple(run_of(run) for run in connection.execute(query, place))


def deliveries_page(
    connection: sa.Connection, state: str | None, target: str | None, job_id: int | None, span: Window
) -> Page[DeliveryRow]:
    columns = ((deliveries.c.state, state), (deliveries.c.target, target), (events.c.job_id, job_id))
    conditions = [column == value for column, value in columns if value is not None]
    query = _with_text().where(*conditions).order_by(deliveries.c.id.desc()).limit(span.limit).offset(span.offset)
    total = sa.select(sa.func.count()).select_from(deliveries).where(*conditions)
    if job_id is not None:
        total = total.join(events, events.c.id == deliveries.c.event_id)
    return Page(
        rows=tuple(delivery_row(row) for row in connection.execute(query)),
        total=connection.execute(total).scalar_one(),
        limit=span.limit,
        offset=span.offset,
    )


def service_now(connection: sa.Connection) -> ServiceState:
    by_state = sa.select(deliveries.c.state, sa.func.count()).group_by(deliveries.c.state)
    by_status = (
        sa.select(watches.c.status, sa.func.count())
        .where(watches.c.watched)
        .group_by(watches.c.status)
        .order_by(watches.c.status.nulls_first())
    )
    doubtful = sa.select(sa.func.count()).where(watches.c.watched, watches.c.needs_review.is_not(None))
    return service_state(
        read_notes(connection),
        jobs={row[0]: row[1] for row in connection.execute(by_status)},
        needs_review=connection.execute(doubtful).scalar_one(),
        deliveries={row[0]: row[1] for row in connection.execute(by_state)},
        targets=read_health(connection),
        replicas=live_replicas(connection),
    )


def names(connection: sa.Connection, job_ids: Collection[int]) -> dict[int, str]:
    """What those of these jobs are called that have a name."""
    query = sa.select(watches.c.job_id, watches.c.name).where(watches.c.job_id.in_(job_ids))
    return {row.job_id: row.name for row in connection.execute(query) if row.name}


def ended_sessions(connection: sa.Connection) -> frozenset[str]:
    return frozenset(connection.execute(sa.select(tables.ended_sessions.c.digest)).scalars())


def _with_text() -> sa.Select[Any]:
    text = messages.c.title.label("message_title"), messages.c.body.label("message_body")
    return (
        sa.select(deliveries, events.c.kind, events.c.job_id, *text)
        .join(events, events.c.id == deliveries.c.event_id)
        .outerjoin(messages, messages.c.id == deliveries.c.message_id)
    )
