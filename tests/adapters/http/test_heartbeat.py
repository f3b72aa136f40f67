"""gemwatch calls a dead man's switch only while the daemon is healthy."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gemwatch.adapters.http.heartbeat import call
from gemwatch.app.factory import ComponentFactory
from gemwatch.app.metrics import Metrics
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import ApiSettings, HeartbeatSettings, Settings, StoreSettings
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.heartbeat import Heartbeat
from support.clock import FakeClock
from support.daemon import Installation
from support.gem import ScriptedGem
from support.http import Handler, Server
from support.inbox import Inbox
from support.waiting import wait_until

PATH = "/api/push/t0ken4711?status=up&msg=OK"


class Switch(Server):
    """A dead man's switch that remembers its requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.location = ""
        owner = self

        class Asked(Handler):
            def do_GET(self) -> None:
                owner.asked.append(self.path)
                self.answer(owner.status, b"OK", {"Location": owner.location} if owner.location else None)

        super().__init__(Asked)

    @property
    def push(self) -> str:
        return self.url + PATH


@pytest.fixture
def switch() -> Iterator[Switch]:
    with Switch() as switch:
        yield switch


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def settings_with(heartbeat: HeartbeatSettings | None) -> Settings:
    return Settings(api=ApiSettings(key="k"), store=StoreSettings(place=Path("none.db")), heartbeat=heartbeat)


# One call


async def test_call_requests_the_exact_url(switch: Switch) -> None:
    assert await call(switch.push) is None
    assert switch.asked == [PATH]


@pytest.mark.parametrize(("status", "words"), [(404, "HTTP 404 Not Found"), (500, "HTTP 500 Internal Server Error")])
async def test_failed_call_is_reported_without_the_url(switch: Switch, status: int, words: str) -> None:
    switch.status = status
    assert await call(switch.push) == words


async def test_redirect_is_not_followed(switch: Switch) -> None:
    with Switch() as elsewhere:
        switch.status, switch.location = 302, elsewhere.push
        reason = await call(switch.push)
        assert elsewhere.asked == []
    assert reason == "HTTP 302 Found, a redirect, is not followed: write the URL that it leads to"


async def test_refused_connection_is_a_reason(switch: Switch) -> None:
    with Switch() as gone:
        pass
    reason = await call(gone.push)
    assert reason == f"no connection to 127.0.0.1:{gone.port}: connection refused"


async def test_silent_server_is_a_timeout() -> None:
    over = threading.Event()

    class Silent(Handler):
        def do_GET(self) -> None:
            over.wait()
            self.close_connection = True

    with Server(Silent) as silent:
        assert await call(silent.url, limit=0.1) == "no answer within 0.1 s"
        over.set()


async def test_answer_that_is_not_http_is_a_reason() -> None:
    class Nonsense(Handler):
        def do_GET(self) -> None:
            self.wfile.write(b"hello\r\n\r\n")
            self.close_connection = True

    with Server(Nonsense) as nonsense:
        assert await call(nonsense.url) == "the answer is not HTTP"


@pytest.mark.parametrize("url", ["http://a..b/", "http://" + "a" * 300 + "/", "http://[::1/"])
async def test_invalid_url_is_a_reason(url: str) -> None:
    assert await call(url) is not None


def test_url_tokens_are_masked_but_words_are_not(secrets: Secrets) -> None:
    secrets.learn(settings_with(HeartbeatSettings(url="https://kuma.example.com" + PATH)))
    secrets.learn(settings_with(HeartbeatSettings(url="https://hc-ping.com/aBcDeFgHiJkLmNoPqRsTuV/gemwatch")))
    said = "t0ken4711 aBcDeFgHiJkLmNoPqRsTuV status kuma.example.com hc-ping.com gemwatch push"
    assert secrets.mask(said) == "*** *** status kuma.example.com hc-ping.com gemwatch push"


# The loop


class Beats:
    """A heartbeat on a clock that the test moves."""

    def __init__(self, active: ActiveConfig, clock: FakeClock) -> None:
        self.active, self.clock = active, clock
        self.stalled: str | None = None
        self.leads = True
        self._heartbeat = Heartbeat(
            active=active, clock=clock, leads=lambda: self.leads, stalled=lambda: self.stalled, call=call
        )

    def edit(self, heartbeat: HeartbeatSettings | None) -> None:
        self.active.settings = settings_with(heartbeat)

    async def after(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await self._heartbeat.round()


@pytest.fixture
async def beats(switch: Switch, clock: FakeClock, secrets: Secrets) -> AsyncIterator[Beats]:
    factory = ComponentFactory(clock, secrets, Metrics("test"))
    active = factory.build(settings_with(HeartbeatSettings(url=switch.push)))
    yield Beats(active, clock)
    await factory.close(active)


async def test_heartbeat_keeps_its_interval(switch: Switch, beats: Beats) -> None:
    for _ in range(120):
        await beats.after(1)
    assert len(switch.asked) == 2
    await beats.after(1)
    assert len(switch.asked) == 3


async def test_heartbeat_pauses_while_the_daemon_is_stalled(switch: Switch, beats: Beats) -> None:
    beats.stalled = "polls: no progress for 70 s"
    for _ in range(10):
        await beats.after(60)
    assert switch.asked == []
    beats.stalled = None
    await beats.after(1)
    assert len(switch.asked) == 1


async def test_without_a_url_nothing_is_called(switch: Switch, beats: Beats) -> None:
    beats.edit(None)
    await beats.after(60)
    assert switch.asked == []


async def test_edit_applies_at_once(switch: Switch, beats: Beats) -> None:
    await beats.after(1)
    with Switch() as other:
        beats.edit(HeartbeatSettings(url=other.push, every=timedelta(minutes=5)))
        await beats.after(1)
        await beats.after(60)
        assert len(other.asked) == 1
        await beats.after(240)
        assert len(other.asked) == 2
    assert len(switch.asked) == 1


async def test_failure_is_logged_once_and_so_is_its_end(switch: Switch, beats: Beats) -> None:
    with capture_logs() as logs:
        for switch.status in (200, 503, 404, 503, 200, 200, 503):
            await beats.after(60)
    assert [(line["event"], line["component"], line.get("reason")) for line in logs] == [
        ("component_failed", "heartbeat", "HTTP 503 Service Unavailable"),
        ("component_recovered", "heartbeat", None),
        ("component_failed", "heartbeat", "HTTP 503 Service Unavailable"),
    ]


async def test_heartbeat_url_is_a_secret(switch: Switch, beats: Beats, secrets: Secrets) -> None:
    assert secrets.mask(f"GET {switch.push} t0ken4711") == "GET *** ***"
    assert "t0ken4711" not in repr(beats.active.settings)


# The program


def test_daemon_heartbeat_follows_edits_and_hides_the_url(tmp_path: Path, switch: Switch) -> None:
    with ScriptedGem() as gem, Inbox() as inbox, Switch() as other:
        there = Installation(tmp_path, gem, inbox)
        there.configure(heartbeat={"url": "${BEAT}", "every": "1s"})
        with there.daemon(BEAT=switch.push) as daemon:
            wait_until(lambda: len(switch.asked) > 1, "two beats")
            other.status = 500
            there.configure(heartbeat={"url": other.push, "every": "1s"})
            wait_until(lambda: daemon.logged("component_failed"), "the log line about the failure")
            other.status = 200
            wait_until(lambda: daemon.logged("component_recovered"), "word of its end")
            assert daemon.stop() == 0
        assert "t0ken4711" not in daemon.log_file.read_text() + json.dumps(there.json("status"))


async def test_only_the_leader_sends_heartbeats(switch: Switch, beats: Beats) -> None:
    beats.leads = False
    for _ in range(120):
        await beats.after(1)
    assert switch.asked == []
    beats.leads = True
    await beats.after(1)
    assert len(switch.asked) == 1
