"""Deliveries: real sends to a real inbox, with pauses on a clock that the test moves."""

import threading
from pathlib import Path

import sqlalchemy as sa

from gemwatch.adapters.store.tables import events
from gemwatch.core.events import Target
from gemwatch.core.kinds import EventKind
from gemwatch.core.settings import Place
from gemwatch.core.work import KEEP_TRYING
from support.clock import FakeClock
from support.events import event_of
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import Rig, running, settings_for
from support.waiting import until


def team(inbox: Inbox, name: str = "team") -> Target:
    return Target(name=name, url=inbox.target_url(name))


def tell(rig: Rig, *job_ids: int) -> None:
    """Record that these jobs ended, as the poller would."""
    rig.watch(*job_ids)
    for job_id in job_ids:
        rig.store.record([], [event_of(EventKind.SUCCESS, at=rig.clock.now(), job_id=job_id)])


async def test_failed_attempt_is_retried_with_growing_pauses(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    inbox.fails_with = 503
    async with running(settings_for(gem, tmp_path, [team(inbox)]), clock) as rig:
        tell(rig, 1)
        await rig.deliver()
        refused = [inbox.refused]
        for seconds in (4, 1, 9, 1, 19, 1):
            await rig.deliver(after=seconds)
            refused.append(inbox.refused)
        assert refused == [1, 1, 2, 2, 3, 3, 4]
        inbox.fails_with = None
        await rig.deliver(after=40)
        assert inbox.titles() == ["SUCCESS: job 1"]
        assert rig.records.deliveries()[0]["attempts"] == 5


async def test_delivery_fails_after_48_hours_and_can_be_requeued(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    inbox.fails_with = 503
    async with running(settings_for(gem, tmp_path, [team(inbox)]), clock) as rig:
        tell(rig, 1)
        await rig.deliver()
        await rig.deliver(after=KEEP_TRYING.total_seconds())
        row = rig.records.deliveries()[0]
        assert (row["state"], row["next_attempt_at"]) == ("failed", None)
        assert "503" in row["last_error"]
        inbox.fails_with = None
        await rig.deliver(times=3, after=900)
        assert inbox.titles() == []
        assert rig.housekeeping.retry_failed([], clock.now()) == [1]
        await rig.deliver()
        assert inbox.titles() == ["SUCCESS: job 1"]
        assert "Delayed:" in inbox.messages[0].body


async def test_dead_target_neither_delays_nor_repeats_another(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    with Inbox() as stuck:
        stuck.hold = threading.Event()
        targets = [team(inbox), Target(name="stuck", url=stuck.target_url())]
        async with running(settings_for(gem, place, targets), clock) as rig:
            tell(rig, 1, 2, 3)
            rig.dispatcher.wake_up.set()
            await until(lambda: len(inbox.messages) == 3, "the healthy target's messages")
            stuck.hold.set()
            await until(lambda: len(stuck.messages) == 3, "the slow target's messages")
        assert len(inbox.messages) == 3


async def test_six_waiting_events_are_one_message(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    async with running(settings_for(gem, tmp_path, [team(inbox)]), clock) as rig:
        inbox.fails_with = 503
        tell(rig, 1)
        await rig.deliver()
        tell(rig, *range(2, 8))
        inbox.fails_with = None
        await rig.deliver(after=5)
        assert [row["state"] for row in rig.records.deliveries()] == ["sent"] * 7
    assert inbox.titles() == ["7 jobs finished: 7 SUCCESS"]
    assert all(f"gw-{number}" in inbox.messages[0].body for number in range(1, 8))


async def test_failed_summary_is_retried_without_duplicates(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, place: Place
) -> None:
    async with running(settings_for(gem, place, [team(inbox)]), clock) as rig:
        inbox.hold = threading.Event()
        tell(rig, 1)
        rig.dispatcher.wake_up.set()
        tell(rig, *range(2, 122))
        inbox.hold.set()
        inbox.fails_with = 503
        await rig.deliver(times=2)
        inbox.fails_with = None
        await rig.deliver(times=8, after=5)
        assert [row["state"] for row in rig.records.deliveries()] == ["sent"] * 121
    text = "".join(f"{message.body}\n" for message in inbox.messages)
    assert all(text.count(f"gw-{number}\n") == 1 for number in range(1, 122))


async def test_recovered_target_receives_waiting_messages_at_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    inbox.fails_with = 503
    async with running(settings_for(gem, tmp_path, [team(inbox)]), clock) as rig:
        tell(rig, 1)
        await rig.deliver()
        await rig.deliver(times=6, after=300)
        tell(rig, 2)
        inbox.fails_with = None
        await rig.deliver(times=2)
    assert inbox.titles() == ["SUCCESS: job 2", "SUCCESS: job 1"]


async def test_ten_thousand_waiting_deliveries_all_arrive(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    settings = settings_for(gem, tmp_path, [team(inbox)])
    async with running(settings, clock) as rig:
        event = event_of(EventKind.LOGIN, at=clock.now())
        rig.store.address([team(inbox, "away")])
        rig.store.record([], [event] * 10_000)
    renamed = settings_for(gem, tmp_path, [team(inbox, "away")])
    async with running(renamed, clock) as rig:
        rig.dispatcher.wake_up.set()
        await until(lambda: rig.records.snapshot().pending == 0, "all to be delivered")
    assert len(inbox.messages) == 200


async def test_event_of_a_newer_version_is_sent_in_neutral_words(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    async with running(settings_for(gem, tmp_path, [team(inbox)]), clock) as rig:
        tell(rig, 1)
        with rig.engine.begin() as connection:
            connection.execute(sa.update(events).values(kind="quota-changed", facts={"quota": [5]}))
        await rig.deliver()
        assert rig.records.deliveries()[0]["state"] == "sent"
        tell(rig, 2)
        await rig.deliver()
    assert inbox.titles() == ["gemwatch: Quota changed (job 1)", "SUCCESS: job 2"]
