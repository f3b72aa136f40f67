"""Groups of jobs: which are open. Used within a transaction."""

from collections.abc import Iterable
from datetime import datetime

import sqlalchemy as sa

from gemwatch.adapters.store.tables import groups


def join_groups(connection: sa.Connection, names: Iterable[str | None], now: datetime) -> None:
    """Open the groups that members were added to."""
    wanted = {name for name in names if name is not None}
    if not wanted:
        return
    known = set(connection.execute(sa.select(groups.c.name).where(groups.c.name.in_(wanted))).scalars())
    opened = {"member_added_at": now, "idle_since": None, "done_at": None}
    if known:
        connection.execute(sa.update(groups).where(groups.c.name.in_(known)).values(opened))
    if new := [{"name": name, **opened} for name in sorted(wanted - known)]:
        connection.execute(sa.insert(groups), new)
