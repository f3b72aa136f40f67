"""The effect of an edit, and its events: real files, read by the real loader."""

import json
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from gemwatch.app.configuration import Configuration
from support.clock import FakeClock
from support.gem import KEY, TOKEN, Answer, ScriptedGem, document
from support.inbox import Inbox
from support.rig import Rig, reloader, running
from support.waiting import until


class Edits:
    """A configuration file, the reloader that reads it, and the engine that it is applied to."""

    def __init__(self, rig: Rig, configuration: Configuration, document: dict[str, Any]) -> None:
        self.rig, self.path, self._document = rig, configuration.path, document
        self.reloader = reloader(rig, configuration)

    async def save(self, text: str | None = None, **sections: Any) -> None:
        self._document.update(sections)
        self.path.write_text(yaml.safe_dump(self._document) if text is None else text)
        await self.reloader.reload()

    def watched(self) -> list[int]:
        return [job["job_id"] for job in self.rig.records.status()["jobs"] if job["watched"]]


Open = Callable[[], Any]


@pytest.fixture
def edits(gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path) -> Open:
    """Opens the engine on a configuration that watches job 1; opened again, it is a restart."""
    path = tmp_path / "config.yaml"
    document: dict[str, Any] = {
        "api": {"base_url": gem.url, "key": KEY, "token": {"value": TOKEN}, "timeout": "5s", "max_rate": 0},
        "notify": {"team": {"url": inbox.target_url("team")}},
        "watch": [1],
    }

    @asynccontextmanager
    async def opened() -> AsyncIterator[Edits]:
        if not path.exists():
            path.write_text(yaml.safe_dump(document))
        configuration = Configuration(path, {})
        settings = configuration.first.settings
        assert settings is not None, configuration.first.problems
        async with running(settings, clock) as rig:
            edits = Edits(rig, configuration, document)
            await edits.reloader.start(configuration.first, settings)
            yield edits
        configuration.close()

    return opened


async def test_each_mistake_and_the_fix_are_reported_once(edits: Open, inbox: Inbox) -> None:
    async with edits() as it:
        await it.save(watch=[1, "one"])
        await it.save(watch=[5, 1, "one"])
        await it.save(watch=[5, 1, "one", "two"])
        await it.save(watch=[5, 1, "two"])
        await it.save(watch=[5, 1])
        await it.save(watch=[5, 1, 6])
        await it.rig.deliver(times=4)
        assert it.watched() == [1, 5, 6]
    assert inbox.titles() == [
        "gemwatch: 1 watch entry skipped",
        "gemwatch: 2 watch entries skipped",
        "gemwatch: configuration fixed",
    ]


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "watch: [1, 2", "\twatch: []", "poll: {every: 1s}", "- 1\n", "a: &a [*a]\n", "\x00"]
)
async def test_refused_file_keeps_the_last_good_configuration(
    edits: Open, inbox: Inbox, gem: ScriptedGem, text: str
) -> None:
    gem.answers(1, "IN_PROGRESS")
    async with edits() as it:
        await it.save(text)
        await it.save(text)
        assert it.watched() == [1]
        await it.rig.poll()
        asked = gem.asked(1)
        await it.rig.poll()
        assert gem.asked(1) == asked + 1
        await it.save(watch=[1, 2])
        assert it.watched() == [1, 2]
        await it.rig.deliver(times=2)
    assert inbox.titles() == ["gemwatch: configuration refused", "gemwatch: configuration fixed"]


async def test_config_event_is_not_repeated_after_a_restart(edits: Open, inbox: Inbox) -> None:
    async with edits() as it:
        await it.save(watch=[1, "one"])
        await it.rig.deliver()
    for _ in range(2):
        async with edits() as it:
            await it.rig.deliver()
    async with edits() as it:
        await it.save(watch=[1])
        await it.rig.deliver()
    assert inbox.titles() == ["gemwatch: 1 watch entry skipped", "gemwatch: configuration fixed"]


async def test_edited_api_settings_apply_from_the_next_poll(edits: Open, inbox: Inbox, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    with ScriptedGem() as other:
        other.answers(1, "SUCCESS")
        async with edits() as it:
            await it.rig.poll()
            asked = gem.asked(1)
            api = {"base_url": other.url, "key": "another-key", "token": {"value": "another-token"}, "max_rate": 0}
            await it.save(api=api)
            await it.rig.poll()
            await it.rig.deliver()
        sent = other.requests[0].headers
        assert (sent["tomtom-api-key"], sent["authorization"]) == ("another-key", "Bearer another-token")
    assert gem.asked(1) == asked
    assert inbox.titles() == ["SUCCESS: job 1"]


async def test_edit_without_changes_keeps_every_component(edits: Open) -> None:
    async with edits() as it:
        active = it.rig.active
        before = (active.api, active.credentials, active.targets, active.pace)
        await it.save(watch=[1, 2, 3])
        assert (active.api, active.credentials, active.targets, active.pace) == before


async def test_removed_target_keeps_its_pending_deliveries(edits: Open, inbox: Inbox, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    inbox.fails_with = 503
    async with edits() as it:
        await it.rig.poll()
        await it.rig.deliver()
        await it.save(notify={"chat": {"url": inbox.target_url("chat")}})
        inbox.fails_with = None
        await it.rig.deliver(after=60)
        assert inbox.titles() == []
        await it.save(notify={"team": {"url": inbox.target_url("team")}})
        await it.rig.deliver()
    assert inbox.titles("team") == ["SUCCESS: job 1"]


async def test_end_polled_during_an_edit_goes_to_the_new_target(edits: Open, inbox: Inbox, gem: ScriptedGem) -> None:
    slow = threading.Event()
    gem.answers(1, Answer(hold=slow, body=json.dumps(document(1, "SUCCESS")).encode()))
    async with edits() as it:
        await until(lambda: gem.asked(1) == 1, "the request")
        url = inbox.target_url("renamed")
        await it.save(notify={"renamed": {"url": url}}, watch=[{"job": 1, "notify": ["renamed"]}])
        slow.set()
        await until(it.rig.records.deliveries, "the end")
        await it.rig.deliver()
    assert inbox.titles("renamed") == ["SUCCESS: job 1"]


async def test_token_is_never_sent_to_another_host(edits: Open, inbox: Inbox, gem: ScriptedGem) -> None:
    slow = threading.Event()
    gem.answers(1, Answer(hold=slow, body=json.dumps(document(1, "IN_PROGRESS")).encode()))
    gem.answers(2, "IN_PROGRESS")
    with ScriptedGem() as other:
        other.answers(2, "IN_PROGRESS")
        async with edits() as it:
            api = {"base_url": gem.url, "key": KEY, "token": {"value": TOKEN}, "max_rate": 0, "max_in_flight": 1}
            await it.save(api=api, watch=[1, 2])
            await until(lambda: gem.asked(1) >= 1, "the request that keeps the others waiting")
            moved = {**api, "base_url": other.url, "key": "another-key", "token": {"value": "another-token"}}
            await it.save(api=moved)
            slow.set()
            await until(lambda: other.asked(2) >= 1, "the request to the new host")
        sent = {(request.headers["tomtom-api-key"], request.headers["authorization"]) for request in other.requests}
    assert sent == {("another-key", "Bearer another-token")}


async def test_replaced_login_does_not_count_against_the_new_one(
    edits: Open, inbox: Inbox, gem: ScriptedGem, tmp_path: Path
) -> None:
    gem.answers(1, "IN_PROGRESS")
    gate, script = tmp_path / "gate", tmp_path / "login"
    script.write_text(f"#!/bin/sh\nuntil [ -e {gate} ]; do sleep 0.05; done\nexit 1\n")
    script.chmod(0o755)
    async with edits() as it:
        api = {"base_url": gem.url, "key": KEY, "max_rate": 0}
        await it.save(api={**api, "token": {"command": str(script)}}, watch=[1, 2])
        it.rig.clock.advance(120)
        it.rig.poller.wake_up.set()
        await until(lambda: not it.rig.poller.idle, "a look that waits for a token")
        await it.save(api={**api, "token": {"value": TOKEN}})
        gate.touch()
        await until(lambda: it.rig.poller.idle, "the look to end")
        await it.rig.poll()
        assert it.rig.records.status()["service"]["login"] == "ok"
        assert it.rig.records.deliveries() == []


async def test_fixed_target_url_gets_pending_deliveries_at_once(edits: Open, inbox: Inbox, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    inbox.fails_with = 404
    async with edits() as it:
        await it.rig.poll()
        await it.rig.deliver(times=6, after=300)
        inbox.fails_with = None
        await it.save(notify={"team": {"url": inbox.target_url("mended")}})
        await it.rig.deliver()
    assert inbox.titles("mended") == ["SUCCESS: job 1"]


async def test_sections_that_need_a_restart_are_reported_once(edits: Open) -> None:
    async with edits() as it:
        running_store = it.rig.active.settings.store
        for keep in ("1d", "1d", "2d"):
            await it.save(store={"keep": keep})
            assert it.rig.active.settings.store == running_store


async def test_second_entry_with_the_same_mistake_is_reported(edits: Open, inbox: Inbox) -> None:
    async with edits() as it:
        await it.save(watch=[1, "one"])
        await it.save(watch=[1, "one", "one"])
        await it.rig.deliver(times=2)
    assert inbox.titles() == ["gemwatch: 1 watch entry skipped", "gemwatch: 2 watch entries skipped"]


async def test_edited_group_applies_to_an_open_group(edits: Open, inbox: Inbox, gem: ScriptedGem) -> None:
    gem.answers(1, "SUCCESS")
    watch = [{"job": 1, "group": "weekly"}]
    async with edits() as it:
        await it.save(watch=watch, groups={"weekly": {"expect": 2}})
        await it.rig.poll()
        await it.rig.maintenance.round()
        await it.rig.deliver()
        assert inbox.titles() == ["SUCCESS: job 1"]
        await it.save(watch=watch, groups={"weekly": {"expect": 1}})
        await it.rig.maintenance.round()
        await it.rig.deliver()
    assert inbox.titles() == ["SUCCESS: job 1", "GROUP DONE: weekly"]
