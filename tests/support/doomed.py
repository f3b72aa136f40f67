"""The program itself, except that it is killed at a named point: just before or just after a certain commit.

    python -P tests/support/doomed.py before settle 2 run --config FILE

The points are reached through SQLAlchemy's public events, so the program needs no hook for them. A transaction is
known by the statements in it; `statement N` kills before the N-th statement of any kind.
"""

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

# What a transaction is for, by a statement that only this kind has; the first that fits wins.
KINDS: Final = {
    "group-done": re.compile(r"UPDATE groups SET idle_since="),
    "transition": re.compile(r"INSERT INTO transitions"),
    "record": re.compile(r"UPDATE watches SET status="),
    "take-look": re.compile(r"UPDATE watches SET due_at=[^,]+, claim=(?!NULL)"),
    "settle": re.compile(r"UPDATE deliveries SET state="),
    "take-send": re.compile(r"UPDATE deliveries SET due_at=[^,]+, claim=(?!NULL)"),
    "apply": re.compile(r"INSERT INTO watches"),
    "refresh": re.compile(r"UPDATE replicas SET"),
}
MOMENTS: Final = ("before", "after")


def kind_of(statements: list[str]) -> str:
    found = (kind for kind, start in KINDS.items() if any(start.match(one) for one in statements))
    return next(found, "other")


class Doom:
    """Counts commits of one kind, and ends the process without a word at the last of them.

    `order`: a file that may name moment, kind and count later. The processes that share it all count, and the first
    to come to the point takes the file away and dies.
    """

    def __init__(self, moment: str = "", kind: str = "", count: int = 0, *, order: Path | None = None) -> None:
        self._moment, self._kind, self._left = moment, kind, count
        self._order, self._read = order, ""
        self._statements: list[str] = []
        self._after = False

    def install(self) -> None:
        sa.event.listen(sa.Engine, "begin", self._begin)
        sa.event.listen(sa.Engine, "before_cursor_execute", self._statement)
        sa.event.listen(sa.Engine, "commit", self._commit)
        sa.event.listen(sa.pool.Pool, "checkin", self._checkin)

    def _begin(self, connection: sa.Connection) -> None:
        self._statements = []
        if self._order is not None:
            self._obey(self._order)

    def _obey(self, order: Path) -> None:
        try:
            text = order.read_text()
        except FileNotFoundError:
            text = ""
        if text != self._read:
            self._read = text
            moment, kind, count = text.split()[:3] if text else ("", "", "0")
            self._moment, self._kind, self._left, self._after = moment, kind, int(count), False

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
        if self._left == 0 and self._may_die():
            os.kill(os.getpid(), signal.SIGKILL)

    def _may_die(self) -> bool:
        if self._order is not None:
            try:
                self._order.unlink()
            except FileNotFoundError:
                return False  # another process was quicker
        return True


def main(run: Callable[[], None]) -> None:
    moment, kind, count, *rest = sys.argv[1:]
    Doom(moment, kind, int(count)).install()
    sys.argv = ["gemwatch", *rest]
    run()


if __name__ == "__main__":
    from gemwatch.cli import main as gemwatch

    main(gemwatch)
