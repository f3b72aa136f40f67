"""Copies the configured watch list into the store, without touching unchanged entries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import leading
from gemwatch.adapters.store.discovery.learning import forget_learned
from gemwatch.adapters.store.discovery.rules import apply_rules, found_jobs
from gemwatch.adapters.store.groups import join_groups
from gemwatch.adapters.store.notes import read_note, write_notes
from gemwatch.adapters.store.tables import microseconds, watches
from gemwatch.core.job import is_end
from gemwatch.core.lists.rules import rules_by_key, watch_of
from gemwatch.core.settings import Applied, Rule, Watch
from gemwatch.core.sharing.watch_lists import WatchListMark

_MARK = "watch_list"  # the note about the applied watch list
_SLICE = 1000  # rows at a time: the process would keep the memory for a whole list
_bind = sa.bindparam

_KNOWN = sa.select(
    watches.c.job_id,
    watches.c.watched,
    watches.c.name,
    watches.c.notify,
    watches.c.every,
    watches.c.limits,
    watches.c.gate,
    watches.c.rule,
    watches.c.group_name,
    watches.c.status,
    watches.c.polled_at,
    watches.c.due_at,
    watches.c.claim,
)
CONFIGURE = (
    sa.update(watches)
    .where(watches.c.job_id == _bind("_job_id"))
    .values(
        watched=True,
        unwatched_at=None,
        name=_bind("name"),
        notify=_bind("notify"),
        every=_bind("every"),
        limits=_bind("limits"),
        gate=_bind("gate"),
        rule=_bind("rule"),
        group_name=_bind("group_name"),
        due_at=_bind("due_at"),
        claim=_bind("claim"),
    )
)
# Spread over five intervals, because all watches may be affected and must not delay other polls. `clock_at` counts as
# passed until it is set again, so that no list postpones the poll.
_NOW = _bind("now", type_=sa.BigInteger())
_SOON = _NOW + dialects.random_below(sa.type_coerce(watches.c.every, sa.BigInteger()) * 5)
_POLL_SOON = (
    sa.update(watches)
    .where(
        sa.type_coerce(watches.c.due_at, sa.BigInteger()) > _NOW,
        watches.c.claim.is_(None),
        watches.c.misses == 0,
        watches.c.refused_at.is_(None),
    )
    .values(clock_at=_NOW, due_at=sa.func.least(sa.type_coerce(watches.c.due_at, sa.BigInteger()), _SOON))
)
_UNWATCH = (
    sa.update(watches)
    .where(watches.c.job_id == _bind("_job_id"))
    .values(watched=False, unwatched_at=_bind("_now"), due_at=None, claim=None)
)


class WatchList:
    """The configured part of the watches."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = leading(engine)

    def mark(self) -> WatchListMark | None:
        """Which watch list is applied, if several replicas share the store."""
        with self._engine.begin() as connection:
            return WatchListMark.from_json(read_note(connection, _MARK))

    def apply(
        self,
        wanted: Sequence[Watch],
        every: timedelta,
        now: datetime,
        rules: Sequence[Rule] = (),
        *,
        mark: WatchListMark | None = None,
        only_add: bool = False,
    ) -> Applied:
        """Make the watch list equal to the configuration. `every`: the interval of watches without their own.

        Does not touch unchanged watches, so that their polls do not move. A job that is watched again keeps its
        history and memory, and is polled once more even if it has ended. Watches that rules made follow their rule;
        without it they stay until their jobs end.

        `mark` is kept for other replicas. `only_add`: watches that exist stay as they are, and so does the mark.
        """
        with self._engine.begin() as connection:
            if mark is not None and not only_add:
                write_notes(connection, {_MARK: mark.as_json()})
            apply_rules(connection, rules, now)
            known = _known(connection, wanted)
            edit = _Edit(every=every, now=now)
            for watch in wanted:
                row = known.pop(watch.job_id, None)
                if row is None or not (only_add and row.watched):
                    edit.want(watch, row)
                if len(edit.added) == _SLICE:
                    edit.add(connection)
            if not only_add:
                _follow_rules(connection, edit, known, rules)
            edit.add(connection)
            if edit.again or edit.changed:
                connection.execute(CONFIGURE, edit.again + edit.changed)
            if edit.removed:
                connection.execute(_UNWATCH, edit.removed)
            join_groups(connection, edit.joined, now)
        return Applied(added=edit.inserted + len(edit.again), changed=len(edit.changed), removed=len(edit.removed))

    def poll_soon(self, now: datetime) -> None:
        """After an edit of the general limits: poll each job to find when its next limit passes."""
        with self._engine.begin() as connection:
            connection.execute(_POLL_SOON, {"now": microseconds(now)})


@dataclass(slots=True, kw_only=True)
class _Edit:
    """Collects the changes to the watches, and the groups that got members."""

    every: timedelta
    now: datetime
    added: list[dict[str, Any]] = field(default_factory=list)  # and not inserted yet
    inserted: int = 0
    again: list[dict[str, Any]] = field(default_factory=list)
    changed: list[dict[str, Any]] = field(default_factory=list)
    removed: list[dict[str, Any]] = field(default_factory=list)
    joined: set[str | None] = field(default_factory=set)

    def want(self, watch: Watch, row: Any) -> None:
        values = configured(watch, self.every)
        if row is None:
            self.added.append({"job_id": watch.job_id, "due_at": self.now, "watched": True, **values})
            self.joined.add(watch.group)
        elif not row.watched:
            self.again.append({"_job_id": watch.job_id, "due_at": self.now, "claim": None, **values})
            if watch.group != row.group_name or not is_end(row.status):
                self.joined.add(watch.group)
        else:
            self.change(row, values)

    def add(self, connection: sa.Connection) -> None:
        if self.added:
            connection.execute(sa.insert(watches), self.added)
            forget_learned(connection, [values["job_id"] for values in self.added])
            self.inserted += len(self.added)
            self.added.clear()

    def change(self, row: Any, values: Mapping[str, Any]) -> None:
        if any(getattr(row, name) != value for name, value in values.items()):
            self.changed.append({"_job_id": row.job_id, **_schedule(row, values, self.now), **values})
            if values["group_name"] != row.group_name:
                self.joined.add(values["group_name"])


def _known(connection: sa.Connection, wanted: Sequence[Watch]) -> dict[int, Any]:
    """The present watches, and the earlier ones among the wanted. A store may remember many more jobs, whose rows
    would take memory at each edit."""
    known = {row.job_id: row for row in connection.execute(_KNOWN.where(watches.c.watched))}
    new = [watch.job_id for watch in wanted if watch.job_id not in known]
    for start in range(0, len(new), _SLICE):
        some = watches.c.job_id.in_(new[start : start + _SLICE])
        known |= {row.job_id: row for row in connection.execute(_KNOWN.where(some))}
    return known


def _follow_rules(connection: sa.Connection, edit: _Edit, known: Mapping[int, Any], rules: Sequence[Rule]) -> None:
    """What happens to known watches that are not in the list: they follow the rule that made them, or are removed."""
    found, by_key = found_jobs(connection), rules_by_key(rules)
    for job_id, row in known.items():
        key, job = found.get(job_id, (None, None))
        rule = by_key.get(key) if key is not None else None
        if rule is not None and job is not None:
            edit.change(row, {**configured(watch_of(rule, job), edit.every), "rule": key})
        elif row.rule is None:
            edit.removed.append({"_job_id": job_id, "_now": edit.now})


def configured(watch: Watch, every: timedelta) -> dict[str, Any]:
    """The configured columns of a watch. `rule` is for those that a rule made."""
    notify = None if watch.notify is None else list(watch.notify)
    return {
        "name": watch.name,
        "notify": notify,
        "every": watch.every or every,
        "limits": watch.limits and watch.limits.as_json(),
        "gate": watch.gate and watch.gate.as_json(),
        "rule": None,
        "group_name": watch.group,
    }


def _schedule(row: Any, values: Mapping[str, Any], now: datetime) -> dict[str, datetime | None]:
    """A shorter interval and changed limits apply at once, a longer interval from the next poll on.

    A running poll would still record the old ones, so its claim is revoked and the job is due again.
    """
    every, limited = values["every"], values["limits"] != row.limits
    if row.due_at is None or (every >= row.every and not limited):
        return {"due_at": row.due_at, "claim": row.claim}
    if row.claim is not None or row.polled_at is None or limited:
        return {"due_at": now, "claim": None}
    return {"due_at": min(row.due_at, row.polled_at + every), "claim": None}
