"""What the store holds, for commands and metrics."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa

from gemwatch.adapters.store.databases.postgresql import Upkeep, upkeep_of
from gemwatch.adapters.store.databases.replicas import live_replicas
from gemwatch.adapters.store.details import WITH_DETAILS
from gemwatch.adapters.store.notes import not_before, paused_until, read_notes
from gemwatch.adapters.store.reads.groups import open_counts
from gemwatch.adapters.store.reads.past import ExperienceReader
from gemwatch.adapters.store.reads.rows import (
    TRANSITION,
    DeliveryRow,
    Overview,
    TransitionRow,
    delivery_row,
    job_row,
    service_state,
    transition_row,
)
from gemwatch.adapters.store.rerouting import read_health, text_of
from gemwatch.adapters.store.tables import Time, deliveries, events, transitions, watches
from gemwatch.core.target_health import SentText
from gemwatch.core.work import DeliveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The counts of one moment."""

    jobs: Mapping[str | None, int] = field(default_factory=dict)  # watched ones by status; None: not seen yet
    pending: int = 0
    failed: int = 0
    oldest_pending: datetime | None = None
    next_poll_at: datetime | None = None
    config_refused: bool = False
    config_since: datetime | None = None  # when it was first refused
    many_refused_since: datetime | None = None
    targets_down: Mapping[str, datetime] = field(default_factory=dict)  # since when, by name
    groups: Mapping[tuple[str, str | None], int] = field(default_factory=dict)  # members of open ones, by status
    upkeep: Upkeep | None = None  # of a PostgreSQL server


# During a poll `due_at` is the end of its lease, and the claim is when the poll was due.
_NEXT_POLL = sa.select(
    sa.func.min(sa.func.coalesce(watches.c.claim, watches.c.due_at, type_=Time), type_=Time)
).where(watches.c.due_at.is_not(None))


class Records:
    """Reads only. Each method is one transaction, so what it returns belongs together."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._learner = ExperienceReader()

    def status(self, now: datetime | None = None) -> Overview:
        """Every job in the store, watched ones first, and how the service is, as things stand `now`."""
        query = WITH_DETAILS.order_by(watches.c.watched.desc(), watches.c.job_id)
        with self._engine.begin() as connection:
            past = self._learner.past(connection, now or datetime.now(UTC))
            jobs = tuple(job_row(row, past) for row in connection.execute(query))
            notes = read_notes(connection)
            state = service_state(notes, targets=read_health(connection), replicas=live_replicas(connection))
        return Overview(jobs=jobs, service=state)

    def history(self, job_id: int | None = None) -> list[TransitionRow]:
        """Transitions, oldest first."""
        query = sa.select(*TRANSITION).order_by(transitions.c.id)
        if job_id is not None:
            query = query.where(transitions.c.job_id == job_id)
        with self._engine.begin() as connection:
            return [transition_row(row) for row in connection.execute(query)]

    def deliveries(
        self,
        state: str | None = None,
        *,
        job_id: int | None = None,
        target: str | None = None,
        after: datetime | None = None,
        delivery_id: int | None = None,
        event_id: int | None = None,
    ) -> list[DeliveryRow]:
        """Deliveries, oldest first. `after`: only of events since then."""
        query = (
            sa.select(deliveries, events.c.kind, events.c.job_id)
            .join(events, events.c.id == deliveries.c.event_id)
            .order_by(deliveries.c.id)
        )
        wanted = (
            (deliveries.c.state, state),
            (events.c.job_id, job_id),
            (deliveries.c.target, target),
            (deliveries.c.id, delivery_id),
            (events.c.id, event_id),
        )
        for column, value in wanted:
            if value is not None:
                query = query.where(column == value)
        if after is not None:
            query = query.where(events.c.at >= after)
        with self._engine.begin() as connection:
            return [delivery_row(row) for row in connection.execute(query)]

    def delivery_text(self, delivery: int) -> SentText | None:
        """The message that carried a delivery, as it was sent; None where none is kept."""
        with self._engine.begin() as connection:
            return text_of(connection, delivery)

    def knows(self, job_id: int) -> bool:
        with self._engine.begin() as connection:
            return (
                connection.execute(sa.select(watches.c.job_id).where(watches.c.job_id == job_id)).first() is not None
            )

    def ruled(self) -> set[int]:
        """The jobs that rules watch."""
        query = sa.select(watches.c.job_id).where(watches.c.watched, watches.c.rule.is_not(None))
        with self._engine.begin() as connection:
            return set(connection.execute(query).scalars())

    def snapshot(self, *, upkeep: bool = False) -> Snapshot:
        """The counts that the metrics and the service's one-line status show. `upkeep`: only the metrics do."""
        by_status = sa.select(watches.c.status, sa.func.count()).where(watches.c.watched).group_by(watches.c.status)
        waiting = (
            sa.select(sa.func.count(), sa.func.min(events.c.at))
            .select_from(deliveries)
            .join(events, events.c.id == deliveries.c.event_id)
            .where(deliveries.c.due_at.is_not(None))
        )
        failed = sa.select(sa.func.count()).where(deliveries.c.state == DeliveryState.FAILED.value)
        with self._engine.begin() as connection:
            jobs = {row[0]: row[1] for row in connection.execute(by_status)}
            pending, oldest = connection.execute(waiting).one()
            state = service_state(read_notes(connection))
            down = {name: health.down_since for name, health in read_health(connection).items()}
            return Snapshot(
                jobs=jobs,
                pending=pending,
                oldest_pending=oldest,
                failed=connection.execute(failed).scalar_one(),
                next_poll_at=not_before(connection.execute(_NEXT_POLL).scalar(), paused_until(connection)),
                config_refused=state.config_refused,
                config_since=state.config_since,
                many_refused_since=state.many_refused_since,
                groups=open_counts(connection),
                upkeep=upkeep_of(connection) if upkeep else None,
                targets_down={name: since for name, since in sorted(down.items()) if since is not None},
            )
