"""The mark of a store: the same only if nobody can have written."""

import time
from pathlib import Path

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.databases.changes import Changes
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.schema import upgrade
from gemwatch.core.settings import Postgresql
from support.engines import close_for_good


def minutes_later() -> float:
    return time.time() + 60


def test_mark_differs_after_a_commit_of_any_connection(tmp_path: Path) -> None:
    place = tmp_path / "gemwatch.db"
    upgrade(place)
    ours, other = open_to_write(place), open_to_write(place, checkpoints=False)
    Housekeeping(ours).note({"one": 1})
    changes = Changes(place, minutes_later)
    before = changes.mark()
    assert before is not None
    assert Housekeeping(ours).notes()["one"] == 1
    assert changes.mark() == before
    Housekeeping(other).note({"two": 2})
    assert changes.mark() != before
    close_for_good(ours)
    close_for_good(other)


def test_mark_is_unknown_right_after_a_write(tmp_path: Path) -> None:
    place = tmp_path / "gemwatch.db"
    upgrade(place)
    engine = open_to_write(place)
    Housekeeping(engine).note({"one": 1})
    assert Changes(place, time.time).mark() is None
    close_for_good(engine)


def test_mark_is_unknown_without_files(tmp_path: Path) -> None:
    assert Changes(tmp_path / "gemwatch.db", minutes_later).mark() is None
    assert Changes(Postgresql(database="gemwatch")).mark() is None
