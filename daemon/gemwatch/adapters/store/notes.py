"""The service's notes about itself, for commands, the next start and other replicas. Used within a transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.tables import service
from gemwatch.core.health import PAUSED_UNTIL


def write_notes(connection: sa.Connection, notes: Mapping[str, Any]) -> None:
    """Record these notes; the others stay."""
    for name, value in notes.items():
        dialects.put(connection, service, {"name": name}, {"value": value})


def read_notes(connection: sa.Connection) -> dict[str, Any]:
    """All notes, by name."""
    return {row.name: row.value for row in connection.execute(sa.select(service))}


def read_note(connection: sa.Connection, name: str) -> Any:
    """A note; None if there is none."""
    return connection.execute(sa.select(service.c.value).where(service.c.name == name)).scalar()


def paused_until(connection: sa.Connection) -> datetime | None:
    """Nothing is polled before this time, which may have passed; None if nothing has delayed polls."""
    note = read_note(connection, PAUSED_UNTIL)
    return datetime.fromisoformat(note) if note else None


def not_before(due: datetime | None, paused: datetime | None) -> datetime | None:
    """When a poll that is due then can really take place."""
    return due if due is None or paused is None else max(due, paused)
