"""Crowds at the port, and a long past: jobs are polled, ends are reported, and the health page answers."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench.crowds import fill
from support.daemon import Daemon, Installation, environment
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until

ROOT = Path(__file__).parents[2]
JOBS = range(1, 21)


@contextmanager
def crowd(installation: Installation, kind: str, count: int) -> Iterator[None]:
    command = [sys.executable, "-m", "bench.clients", kind, str(count), str(installation.port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=environment()) as process:
        try:
            yield
        finally:
            process.terminate()
        assert process.communicate()[0].startswith(b"{")


def health(daemon: Daemon, gem: ScriptedGem, inbox: Inbox, ends: int) -> list[int]:
    """Ten answers of the health page, after each job was polled and the end of one was reported."""
    before = {job: gem.asked(job) for job in JOBS if job > ends}
    wait_until(lambda: all(gem.asked(job) > asked for job, asked in before.items()), "a poll of each job")
    gem.answers(ends, "SUCCESS")
    wait_until(lambda: f"SUCCESS: job {ends}" in inbox.titles(), "the message")
    return [daemon.get("/healthz")[0] for _ in range(10)]


@pytest.mark.parametrize(("kind", "count"), [("scrapers", 100), ("silent", 300), ("viewers", 200)])
def test_crowd_delays_neither_polls_nor_messages(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, kind: str, count: int
) -> None:
    for job in JOBS:
        gem.answers(job, "IN_PROGRESS")
    installation.configure(watch=list(JOBS))
    with installation.daemon() as daemon, crowd(installation, kind, count):
        for ends in (1, 2, 3):
            assert health(daemon, gem, inbox, ends) == [200] * 10


def test_long_past_delays_neither_polls_nor_messages(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    for job in JOBS:
        gem.answers(job, "IN_PROGRESS")
    installation.configure(watch=list(JOBS))
    with installation.daemon() as daemon:
        assert daemon.stop() == 0
    fill(installation.folder / "gemwatch.db", 100_000)
    with installation.daemon() as daemon, crowd(installation, "scrapers", 24), crowd(installation, "viewers", 24):
        assert health(daemon, gem, inbox, 1) == [200] * 10
        assert "gemwatch_jobs" in daemon.get("/metrics")[1]
        assert daemon.get("/?status=SUCCESS")[0] == 200
        assert daemon.get("/deliveries")[0] == 200
