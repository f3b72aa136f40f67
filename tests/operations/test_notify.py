"""What the daemon sends to systemd, received by a real datagram socket."""

import asyncio
import contextlib
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from gemwatch.adapters.store.reads.records import Snapshot
from gemwatch.app.metrics import Metrics
from gemwatch.app.progress import Progress
from gemwatch.app.reporter import Reporter, describe
from gemwatch.app.systemd import NotifySocket
from gemwatch.core.health import ApiState, Health, Login
from support.clock import START, FakeClock
from support.daemon import GEMWATCH, Installation, environment
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import Rig, settings_for
from support.waiting import PATIENCE, until


class Systemd:
    """Receives the messages of a service, in order."""

    def __init__(self) -> None:
        name = f"@gemwatch-{secrets.token_hex(8)}"
        self.environ = {"NOTIFY_SOCKET": name}
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + name[1:])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def until(self, beginning: str) -> list[str]:
        """Wait for a message that begins like this; returns the messages up to it."""
        self._socket.settimeout(PATIENCE)
        wait = [self._socket.recv(65536).decode()]
        while not wait[-1].startswith(beginning):
            wait.append(self._socket.recv(65536).decode())
        return wait

    def wait(self) -> list[str]:
        """What has been said since, without waiting."""
        self._socket.setblocking(False)
        messages = []
        with contextlib.suppress(BlockingIOError):
            while True:
                messages.append(self._socket.recv(65536).decode())
        return messages


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with Systemd() as systemd:
        yield systemd


@contextlib.contextmanager
def started(installation: Installation, systemd: Systemd, **more: str) -> Iterator["subprocess.Popen[bytes]"]:
    """The daemon, not waited for."""
    with (installation.folder / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [*GEMWATCH, "run", "--config", str(installation.config)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=environment(**systemd.environ, **more),
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_systemd_gets_ready_after_the_first_configuration(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, systemd: Systemd
) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with started(installation, systemd) as process:
        before = systemd.until("READY=1")[:-1]
        assert [job["job_id"] for job in installation.records.status()["jobs"]] == [1]
        assert before[-1] == "STATUS=The first configuration is applied"
        assert all(message.startswith("STATUS=Starting") for message in before[:-1])
        assert systemd.until("STATUS=")[-1].startswith("STATUS=1 job watched, ")
        process.send_signal(signal.SIGTERM)
        last = systemd.until("STATUS=Stopping")
        assert last[-2] == "STOPPING=1"
        assert process.wait(PATIENCE) == 0
    assert "WATCHDOG=1" not in [*before, *last, *systemd.wait()]  # the watchdog is off


def test_refused_configuration_is_never_ready(installation: Installation, inbox: Inbox, systemd: Systemd) -> None:
    installation.configure(pol={})
    assert installation.run("run", **systemd.environ).returncode == 2
    assert systemd.wait() == []


def test_watchdog_is_fed_if_systemd_asks_for_it(installation: Installation, inbox: Inbox, systemd: Systemd) -> None:
    installation.configure()
    with started(installation, systemd, WATCHDOG_USEC="300000") as process:
        systemd.until("READY=1")
        systemd.until("WATCHDOG=1")
        systemd.until("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        systemd.until("STOPPING=1")
        assert process.wait(PATIENCE) == 0


def test_reload_reports_its_begin_and_its_end(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, systemd: Systemd
) -> None:
    gem.answers(7, "IN_PROGRESS")
    installation.configure()
    with started(installation, systemd) as process:
        systemd.until("READY=1")
        installation.configure(watch=[7])
        asked_at = time.monotonic_ns() // 1000
        process.send_signal(signal.SIGHUP)
        word, _, began_at = systemd.until("RELOADING=1")[-1].partition("\nMONOTONIC_USEC=")
        assert word == "RELOADING=1"
        assert (
            int(began_at) >= asked_at
        )  # Type=notify-reload tells by this whether it is the reload that it asked for
        systemd.until("READY=1")
        assert [job["job_id"] for job in installation.records.status()["jobs"]] == [7]


class Steps:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def reporting(rig: Rig, systemd: Systemd, progress: Progress) -> AsyncIterator[Reporter]:
    notify = NotifySocket({**systemd.environ, "WATCHDOG_USEC": "30000"})
    reporter = Reporter(
        notify=notify,
        records=rig.records.records,
        database=rig.database,
        reads=rig.database,
        health_monitor=rig.health_monitor,
        membership=rig.membership,
        active=rig.active,
        progress=progress,
        metrics=Metrics("test"),
        clock=rig.clock,
    )
    task = asyncio.create_task(reporter.run())
    try:
        yield reporter
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        notify.close()


async def test_hanging_loop_starves_the_watchdog(gem: ScriptedGem, tmp_path: Path, systemd: Systemd) -> None:
    rig = Rig(settings_for(gem, tmp_path), FakeClock())
    steps = Steps()
    progress, healthy = Progress(steps), Progress(steps)
    progress.expect("polls", within=60)
    wait: list[str] = []

    def accepts(word: str, times: int = 1) -> bool:
        wait.extend(systemd.wait())
        return sum(message.startswith(word) for message in wait) >= times

    with Systemd() as other:
        async with reporting(rig, systemd, progress) as reporter, reporting(rig, other, healthy):
            reporter.started()
            await until(lambda: accepts("WATCHDOG=1"), "the watchdog to be fed")
            steps.now += 61
            systemd.wait()
            wait.clear()
            other.wait()
            fed: list[str] = []

            def well_fed() -> bool:
                fed.extend(other.wait())
                return fed.count("WATCHDOG=1") >= 5

            await until(well_fed, "the other, which beats, to be fed")
            with reporter.reload():
                pass
            await until(lambda: accepts("STATUS=STALLED: polls: no progress for 61 s"), "the status")
            assert "WATCHDOG=1" not in wait
            progress.beat("polls")
            await until(lambda: accepts("WATCHDOG=1"), "the watchdog to be fed again")
    rig.active.targets.close()
    await rig.active.api.close()
    rig.database.close()
    rig.engine.dispose()


LATER = START + timedelta(minutes=1)
OK = Health(login=Login.OK, api=ApiState.OK)


@pytest.mark.parametrize(
    ("snapshot", "health", "line"),
    [
        (Snapshot(), Health(), "0 jobs watched; 0 deliveries pending"),
        (
            Snapshot(jobs={"IN_PROGRESS": 2, "REQUESTED": 1, None: 1, "SUCCESS": 7, "FAILED": 1}, next_poll_at=LATER),
            OK,
            "12 jobs watched, 2 running, 2 waiting, 8 ended, next poll 12:01:00 UTC; 0 deliveries pending; login ok",
        ),
        (
            Snapshot(jobs={"PAUSED": 1}, next_poll_at=START, pending=1, failed=2),
            OK,
            "1 job watched, 1 waiting, polling now; 1 delivery pending, 2 FAILED; login ok",
        ),
        (
            Snapshot(jobs={"IN_PROGRESS": 1}, next_poll_at=LATER, pending=3),
            Health(login=Login.REFUSED, login_since=START, api=ApiState.DOWN, api_since=START),
            (
                "LOGIN REFUSED since 2026-03-01 12:00 UTC, polling is paused; API DOWN since 2026-03-01 12:00 UTC; "
                "1 job watched, 1 running; 3 deliveries pending"
            ),
        ),
        (
            Snapshot(many_refused_since=START),
            Health(login=Login.OK),
            "MANY JOBS REFUSED since 2026-03-01 12:00 UTC; 0 jobs watched; 0 deliveries pending; login ok",
        ),
        (
            Snapshot(config_refused=True, config_since=START, targets_down={"team": START}),
            OK,
            (
                "CONFIG REFUSED since 2026-03-01 12:00 UTC; TARGET team DOWN since 2026-03-01 12:00 UTC; "
                "0 jobs watched; 0 deliveries pending; login ok"
            ),
        ),
    ],
)
def test_status_line_shows_failures_first(snapshot: Snapshot, health: Health, line: str) -> None:
    assert describe(snapshot, health, START) == line


def test_status_line_ends_with_the_part_among_replicas() -> None:
    line = "0 jobs watched; 0 deliveries pending; login ok; leader of 2 replicas"
    assert describe(Snapshot(), OK, START, "leader of 2 replicas") == line
