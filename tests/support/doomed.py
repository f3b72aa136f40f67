"""The program itself, except that it is killed at a named point: just before or just after a certain commit.

    python -P tests/support/doomed.py before settle 2 run --config FILE

The points are reached through SQLAlchemy's public events, so the program needs no hook for them. A transaction is
known by the statements in it; `statement N` kills before the N-th statement of any kind.
"""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final

import sqlalchemy as sa

# What a transaction is for, by a statement that only this kind has; the first that fits wins.
KINDS: Final = {
    "transition": "INSERT INTO transitions",
    "record": "UPDATE watches SET status=",
    "take-look": "UPDATE watches SET due_at=?, claim=? WHERE watches.job_id IN",
    "settle": "UPDATE deliveries SET state=",
    "take-send": "UPDATE deliveries SET due_at=?, claim=? WHERE deliveries.id IN",
    "apply": "INSERT INTO watches",
}
MOMENTS: Final = ("before", "after")


def kind_of(statements: list[str]) -> str:
    found = (kind for kind, start in KINDS.items() if any(one.startswith(start) for one in statements))
    return next(found, "other")


class Doom:
    """Counts commits of one kind, and ends the process without a word at the last of them."""

    def __init__(self, moment: str, kind: str, count: int) -> None:
        self._moment, self._kind, self._left = moment, kind, count
        self._statements: list[str] = []
        self._after = False

    def install(self) -> None:
        sa.event.listen(sa.Engine, "begin", self._begin)
        sa.event.listen(sa.Engine, "before_cursor_execute", self._statement)
        sa.event.listen(sa.Engine, "commit", self._commit)
        sa.event.listen(sa.pool.Pool, "checkin", self._checkin)

    def _begin(self, connection: sa.Connection) -> None:
        self._statements = []

    def _statement(self, connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        self._statements.append(statement)
        if self._moment == "statement":
            self._count()

    def _commit(self, connection: sa.Connection) -> None:
        if kind_of(self._statements) != self._kind:
            return
        if self._moment == "before":
            self._count()
        else:
            self._after = True

    def _checkin(self, connection: Any, record: Any) -> None:
        # The connection goes back to the pool right after its commit.
        if self._after:
            self._after = False
            self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def main(run: Callable[[], None]) -> None:
    moment, kind, count, *rest = sys.argv[1:]
    Doom(moment, kind, int(count)).install()
    sys.argv = ["gemwatch", *rest]
    run()


if __name__ == "__main__":
    from gemwatch.cli import main as gemwatch

    main(gemwatch)
