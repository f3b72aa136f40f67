"""The service's notes about itself, for commands, the next start and other replicas. Used within a transaction."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.tables import service


def write_notes(connection: sa.Connection, notes: Mapping[str, Any]) -> None:
    """Record these notes; the others stay."""
    for name, value in notes.items():
        changed = connection.execute(sa.update(service).where(service.c.name == name).values(value=value)).rowcount
        if not changed:
            connection.execute(sa.insert(service), {"name": name, "value": value})


def read_note(connection: sa.Connection, name: str) -> Any:
    """A note; None if there is none."""
    return connection.execute(sa.select(service.c.value).where(service.c.name == name)).scalar()
