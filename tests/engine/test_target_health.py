"""A failing target: its events, where its messages go, and how it catches up."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gemwatch.app.metrics import Gauges
from gemwatch.core.events import Missed, Target
from gemwatch.core.kinds import EventKind
from support.clock import FakeClock
from support.events import event_of
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import Rig, running, settings_for

TARGET_EVENTS = frozenset({EventKind.TARGET})
Place = tuple[ScriptedGem, FakeClock, Path]


@pytest.fixture
def place(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> Place:
    return gem, clock, tmp_path


def team(inbox: Inbox, *, fallback: str | None = None, missed: Missed = Missed.SUMMARY) -> Target:
    return Target(name="team", url=inbox.target_url("team"), fallback=fallback, missed=missed)


def mail(inbox: Inbox, **settings: str) -> Target:
    return Target(name="mail", url=inbox.target_url("mail"), **settings)


def report(rig: Rig, *job_ids: int) -> None:
    """Record that these jobs finished, as the poller would."""
    rig.watch(*job_ids)
    for job_id in job_ids:
        rig.store.record([], [event_of(EventKind.SUCCESS, at=rig.clock.now(), job_id=job_id)])


def up(rig: Rig, target: str) -> float:
    down = rig.records.records.snapshot().targets_down
    rig.metrics.targets(one.name for one in rig.active.settings.targets)
    text = rig.metrics.render(Gauges(targets_down=down)).decode()
    found = re.search(rf'^gemwatch_target_up{{target="{target}"}} (.+)$', text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def states(rig: Rig, target: str) -> list[str]:
    return [row["state"] for row in rig.records.deliveries() if row["target"] == target]


async def refuse_until_down(rig: Rig, inbox: Inbox) -> None:
    """Two refusals more than a minute apart: attempts after 0, 5, 15, 35 and 75 s."""
    inbox.fails_with = 404
    await rig.deliver()
    for seconds in (5, 10, 20, 40):
        await rig.deliver(after=seconds)


DOWN, UP = "gemwatch: target team is down", "gemwatch: target team has recovered"


async def test_dead_target_is_reported_and_rerouted(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    with Inbox() as other:
        settings = settings_for(gem, folder, [team(inbox, fallback="mail"), replace(mail(other), on=TARGET_EVENTS)])
        async with running(settings, clock) as rig:
            report(rig, 1)
            await refuse_until_down(rig, inbox)
            assert sorted(other.titles()) == ["SUCCESS: job 1", DOWN]
            assert states(rig, "team") == ["rerouted"]
            refused = inbox.refused
            report(rig, 2)
            await rig.deliver()
            assert "SUCCESS: job 2" in other.titles()
            assert inbox.refused == refused
            assert other.titles().count(DOWN) == 1
            texts = [message.body for message in other.messages if message.title == "SUCCESS: job 1"]
            assert texts[0].endswith("gw-1")
            assert (up(rig, "team"), up(rig, "mail")) == (0, 1)


async def test_event_that_the_fallback_has_is_not_repeated(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    with Inbox() as other:
        settings = settings_for(gem, folder, [team(inbox, fallback="mail"), mail(other)])
        async with running(settings, clock) as rig:
            report(rig, 1)
            await refuse_until_down(rig, inbox)
            report(rig, 2)
            await rig.deliver(times=2)
            assert sorted(other.titles()) == ["SUCCESS: job 1", "SUCCESS: job 2", DOWN]
            assert states(rig, "team") == ["rerouted", "rerouted"]


@pytest.mark.parametrize(
    ("missed", "titles"),
    [
        (Missed.SUMMARY, ["SUCCESS: job 4", "3 jobs finished: 3 SUCCESS"]),
        (Missed.EACH, ["SUCCESS: job 4", "SUCCESS: job 1", "SUCCESS: job 2", "SUCCESS: job 3"]),
        (Missed.NONE, ["SUCCESS: job 4"]),
    ],
)
async def test_recovered_target_receives_what_it_missed(
    place: Place, inbox: Inbox, missed: Missed, titles: Sequence[str]
) -> None:
    gem, clock, folder = place
    with Inbox() as other:
        settings = settings_for(gem, folder, [team(inbox, fallback="mail", missed=missed), mail(other)])
        async with running(settings, clock) as rig:
            report(rig, 1)
            await refuse_until_down(rig, inbox)
            report(rig, 2, 3)
            await rig.deliver()
            inbox.fails_with = None
            await rig.deliver(after=3600)
            assert inbox.titles() == []
            report(rig, 4)
            await rig.deliver(times=3)
            assert inbox.titles() == titles
            assert other.titles().count(UP) == 1
            assert up(rig, "team") == 1
            report(rig, 5)
            await rig.deliver(times=2)
            assert inbox.titles() == [*titles, "SUCCESS: job 5"]
            assert len(other.titles()) == 7


async def test_probe_that_fails_reroutes_its_message(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    with Inbox() as other:
        settings = settings_for(gem, folder, [team(inbox, fallback="mail"), replace(mail(other), on=TARGET_EVENTS)])
        async with running(settings, clock) as rig:
            report(rig, 1)
            await refuse_until_down(rig, inbox)
            refused = inbox.refused
            clock.advance(3600)
            report(rig, 2, 3)
            await rig.deliver(times=2)
            assert inbox.refused == refused + 1
            assert sorted(other.titles()) == ["SUCCESS: job 1", "SUCCESS: job 2", "SUCCESS: job 3", DOWN]


async def test_fallbacks_never_chain(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    with Inbox() as second, Inbox() as third:
        chat = Target(name="chat", url=third.target_url("chat"), on=TARGET_EVENTS)
        targets = [team(inbox, fallback="mail"), replace(mail(second, fallback="chat"), on=TARGET_EVENTS), chat]
        async with running(settings_for(gem, folder, targets), clock) as rig:
            report(rig, 1)
            second.fails_with = 404
            await refuse_until_down(rig, inbox)
            await rig.deliver(times=12, after=60)
            assert states(rig, "team") == ["rerouted", "pending"]  # the other one is about the other target
            assert sorted(third.titles()) == ["gemwatch: target mail is down", DOWN]
            second.fails_with = None
            await rig.deliver(times=3, after=900)
            assert "SUCCESS: job 1" in second.titles()


async def test_messages_wait_while_the_fallback_is_down_too(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    with Inbox() as second, Inbox() as third:
        chat = Target(name="chat", url=third.target_url("chat"), on=TARGET_EVENTS)
        targets = [team(inbox, fallback="mail"), mail(second), chat]
        async with running(settings_for(gem, folder, targets), clock) as rig:
            report(rig, 1)
            second.fails_with = 404
            await rig.deliver(times=8, after=20)
            assert "gemwatch: target mail is down" in third.titles()
            report(rig, 2)
            await refuse_until_down(rig, inbox)
            assert DOWN in third.titles()
            assert "rerouted" not in states(rig, "team")
            inbox.fails_with = None
            await rig.deliver(times=3, after=900)
            assert set(inbox.titles()) >= {"SUCCESS: job 1", "SUCCESS: job 2"}


async def test_nothing_is_declared_while_all_targets_fail(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    with Inbox() as other:
        inbox.fails_with = other.fails_with = 503
        settings = settings_for(gem, folder, [team(inbox, fallback="mail"), mail(other)])
        async with running(settings, clock) as rig:
            report(rig, 1)
            await rig.deliver(times=30, after=120)
            assert states(rig, "team") == states(rig, "mail") == ["pending"]
            inbox.fails_with = other.fails_with = None
            await rig.deliver(times=2, after=900)
        assert inbox.titles() == other.titles() == ["SUCCESS: job 1"]


async def test_state_survives_a_restart(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    with Inbox() as other:
        settings = settings_for(gem, folder, [team(inbox, fallback="mail"), mail(other)])
        async with running(settings, clock) as rig:
            report(rig, 1)
            await refuse_until_down(rig, inbox)
            refused = inbox.refused
        async with running(settings, clock) as rig:
            report(rig, 2)
            await rig.deliver(times=2)
            assert inbox.refused == refused
            assert states(rig, "team") == ["rerouted", "rerouted"]
            [down] = rig.records.status()["service"]["targets_down"]
            assert down == {
                "target": "team",
                "since": "2026-03-01T12:01:15.000Z",
                "reason": "JSON answered 404 Not Found: no",
            }
            inbox.fails_with = None
            clock.advance(3600)
            report(rig, 3)
            await rig.deliver(times=2)
            assert other.titles().count(UP) == other.titles().count(DOWN) == 1
            assert rig.records.status()["service"]["targets_down"] == []


async def test_throttled_target_rests_for_a_minute(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    inbox.fails_with = 429
    async with running(settings_for(gem, folder, [team(inbox)]), clock) as rig:
        report(rig, 1)
        await rig.deliver()
        for seconds in (5, 24, 30):
            report(rig, 1)
            await rig.deliver(after=seconds)
        assert inbox.refused == 1
        inbox.fails_with = None
        await rig.deliver(times=2, after=1)
        assert states(rig, "team") == ["sent"] * 4


async def test_text_as_sent_is_kept_for_30_days(place: Place, inbox: Inbox) -> None:
    gem, clock, folder = place
    async with running(settings_for(gem, folder, [team(inbox)]), clock) as rig:
        report(rig, *range(1, 8))
        await rig.deliver()
        [message] = inbox.messages
        texts = [rig.records.delivery_text(row["id"]) for row in rig.records.deliveries()]
        assert {(text.title, text.body) for text in texts if text} == {(message.title, message.body)}
        rig.housekeeping.prune_texts(clock.now())
        assert rig.records.delivery_text(1) is not None
        clock.advance(30 * 86400 + 1)
        rig.housekeeping.prune_texts(clock.now())
        assert rig.records.delivery_text(1) is None
        assert len(rig.records.deliveries()) == 7
