"""A failing store is reported once, directly, and its recovery through the store itself."""

import asyncio
from pathlib import Path

from gemwatch.core.events import Target
from gemwatch.engine.store_monitor import PATIENCE
from support.clock import FakeClock
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import running, settings_for
from support.waiting import until


async def test_lasting_failure_and_recovery_are_reported_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    store_is: list[str | None] = [None]
    team = Target(name="team", url=inbox.target_url())
    async with running(settings_for(gem, tmp_path, [team]), clock) as rig, asyncio.TaskGroup() as group:
        store_monitor = rig.loops(store_failure=lambda: store_is[0]).store_monitor
        for store_is[0] in ("database is locked", None, "database is locked"):
            clock.advance(PATIENCE - 1)
            await store_monitor.round(group)
        assert inbox.titles() == []
        for store_is[0] in ("database is locked", "database or disk is full", "database or disk is full"):
            clock.advance(PATIENCE)
            await store_monitor.round(group)
        await until(inbox.titles, "the message about the failure")
        store_is[0] = None
        await store_monitor.round(group)
        await store_monitor.round(group)
        await rig.deliver(times=2)
        assert [row["kind"] for row in rig.records.deliveries()] == ["store"]
    assert inbox.titles() == ["gemwatch: the store is failing", "gemwatch: the store has recovered"]
    assert "Reason: database is locked" in inbox.messages[0].body
    assert inbox.messages[0].body.endswith("Sent directly, because it could not be stored")
    assert inbox.messages[1].body.endswith("gw-1")


async def test_target_that_was_down_is_notified_after_recovery(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    team = Target(name="team", url=inbox.target_url())
    inbox.fails_with = 503
    async with running(settings_for(gem, tmp_path, [team]), clock) as rig, asyncio.TaskGroup() as group:
        store_monitor = rig.loops(store_failure=lambda: "attempt to write a readonly database").store_monitor
        await store_monitor.round(group)
        clock.advance(PATIENCE)
        await store_monitor.round(group)
        await until(lambda: inbox.refused, "the first attempt")
        inbox.fails_with = None
        await until(inbox.titles, "the second attempt")
    assert inbox.titles() == ["gemwatch: the store is failing"]
