"""Moves a store with all that is in it into another, empty one, between any two kinds of database."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import Lock, WriterLock, open_to_read, open_to_write
from gemwatch.adapters.store.databases import refused_logins
from gemwatch.adapters.store.databases.leases import Exclusive
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.schema import check, revision_of, upgrade
from gemwatch.adapters.store.tables import leases, metadata, replicas, service
from gemwatch.core.settings import Place, Postgresql

_AT_ONCE = 1000  # rows
_COPIED = tuple(table for table in metadata.sorted_tables if table not in (leases, replicas))


def copy(source: Place, target: Place) -> dict[str, int]:
    """Copy everything, with the ids, in one transaction. Returns the number of rows by table.

    Raises StoreError if a daemon uses one of the two, or if the target is not empty; then nothing is copied.
    """
    if source == target:
        raise StoreError("both configurations name the same store")
    with ExitStack() as stack:
        reading = open_to_read(source)
        stack.callback(reading.dispose)
        check(reading)
        stack.enter_context(held(source))
        lock = stack.enter_context(held(target))
        writing = open_to_write(target, lock=lock)
        stack.callback(writing.dispose)
        try:
            with reading.begin() as before, writing.begin() as after:
                _refuse_full(after, target)
                after.execute(sa.delete(service))
                copied = {table.name: _copy(table, before, after) for table in _COPIED}
                if (shared := isinstance(target, Postgresql)) is not isinstance(source, Postgresql):
                    refused_logins.carry_over(after, shared=shared)
                return copied
        except sa.exc.DatabaseError as error:
            raise StoreError(f"nothing was copied: {dialects.reason_of(error.orig)}") from None


@contextmanager
def held(place: Place) -> Iterator[Lock]:
    """The store with current tables, for this process alone. Raises AlreadyRunningError while a daemon uses it."""
    if not isinstance(place, Postgresql):
        with WriterLock(place) as lock:
            upgrade(place)
            yield lock
        return
    if is_empty(place):
        upgrade(place)
    with Exclusive(place) as lease:
        upgrade(place)
        yield lease


def is_empty(place: Place) -> bool:
    """Whether the database has no tables of a store."""
    engine = open_to_read(place)
    try:
        return revision_of(engine) is None
    finally:
        engine.dispose()


def _refuse_full(connection: sa.Connection, target: Place) -> None:
    for table in _COPIED:
        if table is not service and connection.execute(sa.select(sa.literal(1)).select_from(table)).first():
            raise StoreError(f"the store {target} is not empty: name a new one")


def _copy(table: sa.Table, before: sa.Connection, after: sa.Connection) -> int:
    number = 0
    rows = before.execution_options(yield_per=_AT_ONCE).execute(sa.select(table)).mappings()
    for part in rows.partitions():
        after.execute(sa.insert(table), [dict(row) for row in part])
        number += len(part)
    dialects.continue_numbering(before, after, table)
    return number
