"""An idle engine asks nothing of its store, and still notices at once what others write and what becomes due."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.databases.changes import Changes
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.core.events import Target
from gemwatch.core.kinds import EventKind
from gemwatch.core.settings import Watch
from gemwatch.core.work import KEEP_TRYING
from gemwatch.engine.dispatcher import ASK_EVERY
from gemwatch.engine.ports import Mark
from support.clock import FakeClock
from support.events import event_of
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import Rig, running, settings_for


@asynccontextmanager
async def marked(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, folder: Path, mark: Mark | None = None
) -> AsyncIterator[Rig]:
    """On SQLite, with marks, as if each write were a minute old."""
    file = folder / "gemwatch.db"
    changes = Changes(file, lambda: time.time() + 60)
    target = Target(name="team", url=inbox.target_url("team"))
    async with running(settings_for(gem, file, [target]), clock, mark=mark or changes.mark) as rig:
        yield rig


@contextmanager
def asked(rig: Rig, table: str) -> Iterator[list[str]]:
    """The statements about a table."""
    found: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if f" {table} " in statement.replace("\n", " "):
            found.append(statement)

    sa.event.listen(rig.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(rig.engine, "before_cursor_execute", note)


def tell(rig: Rig) -> None:
    rig.watch(1)
    rig.store.record([], [event_of(EventKind.SUCCESS, at=rig.clock.now(), job_id=1)])


async def test_idle_dispatcher_asks_nothing(gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path) -> None:
    async with marked(gem, inbox, clock, tmp_path) as rig:
        await rig.deliver()
        with asked(rig, "deliveries") as statements:
            await rig.deliver(after=1)
            assert statements == []
            tell(rig)
            await rig.deliver()
            assert statements != []
        assert inbox.titles() == ["SUCCESS: job 1"]


async def test_waiting_delivery_is_sent_when_it_is_due(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    inbox.fails_with = 503
    async with marked(gem, inbox, clock, tmp_path) as rig:
        tell(rig)
        await rig.deliver()
        with asked(rig, "deliveries") as statements:
            await rig.deliver(after=4)
            assert (inbox.refused, statements) == (1, [])
            await rig.deliver(after=1)
            assert inbox.refused == 2


async def test_delivery_of_another_process_is_seen_by_mark(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    inbox.fails_with = 503
    async with marked(gem, inbox, clock, tmp_path) as rig:
        tell(rig)
        await rig.deliver()
        await rig.deliver(after=KEEP_TRYING.total_seconds())
        [row] = rig.records.deliveries()
        assert row["state"] == "failed"
        inbox.fails_with = None
        await rig.deliver()
        retry(tmp_path, clock, row["id"])
        await rig.deliver()
        assert inbox.titles()[-1] == "SUCCESS: job 1"


async def test_store_is_asked_although_its_mark_is_the_same(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    async with marked(gem, inbox, clock, tmp_path, mark=lambda: "the same") as rig:
        await rig.deliver()
        tell(rig)
        await rig.deliver(after=ASK_EVERY - 1)
        assert inbox.titles() == []
        await rig.deliver(after=1)
        assert inbox.titles() == ["SUCCESS: job 1"]


async def test_groups_are_read_only_while_one_is_open(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    gem.answers(1, "SUCCESS")
    async with marked(gem, inbox, clock, tmp_path) as rig:
        await rig.maintenance.round()
        with asked(rig, "groups") as statements:
            await rig.maintenance.round()
            assert statements == []
        rig.watch(Watch(job_id=1, group="release"))
        await rig.maintenance.round()
        with asked(rig, "groups") as statements:
            await rig.maintenance.round()
            assert statements != []
        await rig.poll()
        await rig.maintenance.round()
        await rig.deliver()
        assert "GROUP DONE: release" in inbox.titles()


def retry(folder: Path, clock: FakeClock, delivery: int) -> None:
    """As `gemwatch deliveries retry` does, on a connection of its own."""
    engine = open_to_write(folder / "gemwatch.db", checkpoints=False)
    assert Housekeeping(engine).retry_failed([delivery], clock.now()) == [delivery]
    engine.dispose()
