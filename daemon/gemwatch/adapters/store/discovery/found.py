"""The jobs that rules found: which watches a list adds, which end, and which jobs stay away."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.database import leading
from gemwatch.adapters.store.discovery.learning import forget_learned
from gemwatch.adapters.store.discovery.rules import rules_in_force
from gemwatch.adapters.store.groups import join_groups
from gemwatch.adapters.store.tables import discovered, rules, watches
from gemwatch.adapters.store.watch_list import CONFIGURE, configured
from gemwatch.core.job import ENDS, JobDetails, is_end
from gemwatch.core.lists.rules import Fate, fate, in_window, key_of, rules_by_key, watch_of
from gemwatch.core.settings import Rule
from gemwatch.core.work import Discovered

_FRESH = timedelta(hours=1)  # how old `listed_at` may become before it is written again
_SLICE = 500  # ids in one statement
_bind = sa.bindparam

_KNOWN = sa.select(watches.c.job_id, watches.c.watched, watches.c.rule).where(
    watches.c.job_id.in_(_bind("ids", expanding=True))
)
_REMEMBERED = sa.select(discovered.c.job_id, discovered.c.excluded, discovered.c.listed_at).where(
    discovered.c.job_id.in_(_bind("ids", expanding=True))
)
_IS_PAST = sa.and_(discovered.c.rule.is_(None), sa.not_(discovered.c.excluded))
_PAST = (
    sa.select(discovered.c.job_id)
    .outerjoin(watches, sa.and_(watches.c.job_id == discovered.c.job_id, watches.c.watched))
    .where(discovered.c.job_id.in_(_bind("ids", expanding=True)), _IS_PAST, watches.c.job_id.is_(None))
)
_OPEN = (
    sa.select(watches.c.rule, sa.func.count().label("jobs"))
    .where(
        watches.c.watched,
        watches.c.rule.is_not(None),
        sa.or_(watches.c.status.is_(None), watches.c.status.not_in(ENDS)),
    )
    .group_by(watches.c.rule)
)
_ENDED = (
    sa.select(watches.c.job_id, watches.c.rule, watches.c.status, discovered.c.requested_at)
    .outerjoin(discovered, discovered.c.job_id == watches.c.job_id)
    .where(watches.c.watched, watches.c.rule.is_not(None), watches.c.status.in_(ENDS))
)
_UNWATCH = (
    sa.update(watches)
    .where(watches.c.job_id.in_(_bind("ids", expanding=True)))
    .values(watched=False, unwatched_at=_bind("now"), due_at=None, claim=None)
)


class Discoveries:
    """Every method is one transaction and safe to retry."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = leading(engine)

    def add(
        self, found: Sequence[tuple[Rule, JobDetails]], listed: Collection[int], every: timedelta, now: datetime
    ) -> Discovered:
        """Watch the jobs that rules matched in a list, each once. `listed`: all jobs in it.

        Jobs in the configured watch list, excluded ones and those that a rule added before stay as they are. Past
        jobs are remembered: see `doubtful`.
        """
        ids = [job.job_id for _, job in found]
        with self._engine.begin() as connection:
            applied = {row.key: row.applied_at for row in connection.execute(sa.select(rules))}
            known = {row.job_id: row for part in _sliced(ids) for row in connection.execute(_KNOWN, {"ids": part})}
            remembered = self._refresh(connection, {*ids}, listed, now)
            past = _past(connection, found)
            room = _Room.of(connection, {key_of(rule): rule for rule, _ in found})
            new, again, notes = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
            for rule, job in sorted(found, key=lambda one: (one[1].requested_at or now, one[1].job_id)):
                key, row = key_of(rule), known.get(job.job_id)
                if job.job_id in remembered - past or (row is not None and row.watched) or key not in applied:
                    continue
                if fate(job, applied[key]) is Fate.PAST:
                    notes.append(_note(job, None, now))
                    continue
                if not is_end(job.status) and not room.take(key):
                    continue
                values = {**configured(watch_of(rule, job), every), "rule": key}
                if row is None:
                    new.append({"job_id": job.job_id, "watched": True, "due_at": now, **values})
                else:
                    again.append({"_job_id": job.job_id, "due_at": now, "claim": None, **values})
                notes.append(_note(job, key, now))
            if new:
                connection.execute(sa.insert(watches), new)
                forget_learned(connection, [values["job_id"] for values in new])
            if again:
                connection.execute(CONFIGURE, again)
            for part in _sliced(sorted(past & {note["job_id"] for note in notes})):
                connection.execute(sa.delete(discovered).where(discovered.c.job_id.in_(part)))
            if notes:
                connection.execute(sa.insert(discovered), notes)
            join_groups(connection, [values["group_name"] for values in (*new, *again)], now)
        added = tuple((note["job_id"], note["rule"]) for note in notes if note["rule"] is not None)
        return Discovered(added=added, full=tuple(sorted(room.full)))

    def doubtful(self, found: Sequence[tuple[Rule, JobDetails]]) -> list[int]:
        """The jobs that this list shows as unfinished although an earlier one showed them as past: one is wrong."""
        with self._engine.begin() as connection:
            return sorted(_past(connection, found))

    def end(self, in_force: Sequence[Rule], now: datetime) -> int:
        """Note that these rules are in force, and end the watches of rules whose jobs have ended and left the window,
        or whose rule is gone. Returns their number."""
        by_key = rules_by_key(in_force)
        with self._engine.begin() as connection:
            rules_in_force(connection, in_force, now, _FRESH)
            over = [row.job_id for row in connection.execute(_ENDED) if not _stays(row, by_key.get(row.rule), now)]
            for part in _sliced(over):
                connection.execute(_UNWATCH, {"ids": part, "now": now})
        return len(over)

    @contextmanager
    def excluding(self, job_ids: Sequence[int], now: datetime) -> Iterator[None]:
        """Keep these jobs away from every rule, and end the watches that rules made, unless the block raises."""
        with self._engine.begin() as connection:
            mine = sa.select(watches.c.job_id).where(watches.c.rule.is_not(None), watches.c.watched)
            for part in _sliced(job_ids):
                known = set(connection.execute(_REMEMBERED, {"ids": part}).scalars())
                change = sa.update(discovered).where(discovered.c.job_id.in_(part)).values(excluded=True)
                connection.execute(change)
                if new := [one for one in part if one not in known]:
                    rows = [{"job_id": one, "excluded": True, "listed_at": now} for one in new]
                    connection.execute(sa.insert(discovered), rows)
                ruled = connection.execute(mine.where(watches.c.job_id.in_(part))).scalars().all()
                connection.execute(_UNWATCH, {"ids": list(ruled), "now": now})
            yield

    def readmit(self, job_ids: Sequence[int]) -> None:
        """Let rules find these jobs again."""
        with self._engine.begin() as connection:
            for part in _sliced(job_ids):
                excluded = sa.and_(discovered.c.job_id.in_(part), discovered.c.excluded)
                connection.execute(sa.delete(discovered).where(excluded))

    def _refresh(
        self, connection: sa.Connection, found: Collection[int], listed: Collection[int], now: datetime
    ) -> set[int]:
        """Note that remembered jobs are still listed. Returns those of the `found` jobs that are remembered."""
        rows = connection.execute(sa.select(discovered.c.job_id, discovered.c.listed_at)).all()
        stale = [row.job_id for row in rows if row.job_id in listed and row.listed_at < now - _FRESH]
        for part in _sliced(stale):
            connection.execute(sa.update(discovered).where(discovered.c.job_id.in_(part)).values(listed_at=now))
        return {row.job_id for row in rows if row.job_id in found}


def _past(connection: sa.Connection, found: Sequence[tuple[Rule, JobDetails]]) -> set[int]:
    """Those of the jobs that are unfinished, not watched, and remembered as past."""
    ids = [job.job_id for _, job in found if not is_end(job.status)]
    return {one for part in _sliced(ids) for one in connection.execute(_PAST, {"ids": part}).scalars()}


def _stays(row: Any, rule: Rule | None, now: datetime) -> bool:
    if rule is None:
        return False
    return in_window(rule, JobDetails(job_id=row.job_id, status=row.status, requested_at=row.requested_at), now)


@dataclass(slots=True, kw_only=True)
class _Room:
    """How many more unfinished jobs each rule may watch, and the rules that could not watch all."""

    left: dict[str, int]
    full: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, connection: sa.Connection, by_key: Mapping[str, Rule]) -> "_Room":
        used = {row.rule: row.jobs for row in connection.execute(_OPEN)}
        return cls(left={key: rule.max - used.get(key, 0) for key, rule in by_key.items()})

    def take(self, key: str) -> bool:
        """Whether there is room for one more, which takes it."""
        if self.left[key] <= 0:
            self.full.add(key)
            return False
        self.left[key] -= 1
        return True


def _note(job: JobDetails, key: str | None, now: datetime) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "rule": key,
        "excluded": False,
        "storage_id": job.storage_id,
        "input_filename": job.input_filename,
        "release": job.overture_release or job.orbis_version,
        "job_type": job.job_type,
        "requested_at": job.requested_at,
        "listed_at": now,
    }


def _sliced(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (ids[start : start + _SLICE] for start in range(0, len(ids), _SLICE))
