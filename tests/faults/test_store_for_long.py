"""A store failure that lasts longer than the daemon's patience: it and its recovery are each sent once."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from support.daemon import Installation
from support.disk import held_elsewhere, unwritable
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until

DOWN, UP = "gemwatch: the store is failing", "gemwatch: the store has recovered"
Failure = Callable[[Path, int], AbstractContextManager[None]]


class House:
    """A daemon with its own API, inbox and store failure."""

    def __init__(self, stack: contextlib.ExitStack, folder: Path, failure: Failure, reason: str) -> None:
        folder.mkdir()
        self.gem, self.inbox = stack.enter_context(ScriptedGem()), stack.enter_context(Inbox())
        self.failure, self.reason = failure, reason
        self.installation = Installation(folder, self.gem, self.inbox)
        for job_id in (1, 2):
            self.gem.answers(job_id, "IN_PROGRESS")
        self.installation.configure(watch=[1, 2])
        self.daemon = stack.enter_context(self.installation.daemon())
        self.records = self.installation.records
        wait_until(lambda: len(self.records.history()) == 2, "the first looks")

    def begin(self, stack: contextlib.ExitStack) -> None:
        store = self.installation.folder / "gemwatch.db"
        stack.enter_context(self.failure(store, self.daemon.process.pid))
        wait_until(self.says_so, f"the log and health to say: {self.reason}")
        self.asked = len(self.gem.requests)
        self.gem.answers(1, "SUCCESS")

    def says_so(self) -> bool:
        status, text = self.daemon.get("/healthz")
        said = [line["reason"] for line in self.daemon.logged("component_failed")]
        return status == 503 and f"the store does not work: {self.reason}" in text and said == [self.reason]

    def bears_it(self) -> None:
        """The failure lasts: only its event was sent, and nothing is polled."""
        assert self.inbox.titles() == [DOWN]
        assert f"Reason: {self.reason}" in self.inbox.messages[0].body
        assert len(self.gem.requests) <= self.asked + 2  # the polls that were running when it started
        assert self.says_so()

    def goes_on(self) -> None:
        """Remove the cause and change nothing else."""
        wait_until(lambda: len(self.inbox.messages) >= 3, "the end of the job, and of the failure")
        wait_until(lambda: self.daemon.get("/healthz") == (200, '{"status":"ok"}'), "health to be good again")
        before = self.gem.asked(2)
        wait_until(lambda: self.gem.asked(2) >= before + 2, "further polls")
        assert self.daemon.stop() == 0
        assert sorted(self.inbox.titles()) == sorted([DOWN, UP, "SUCCESS: job 1"])
        assert [row["to"] for row in self.records.history(1)] == ["IN_PROGRESS", "SUCCESS"]
        assert [row["to"] for row in self.records.history(2)] == ["IN_PROGRESS"]
        assert [row["kind"] for row in self.records.deliveries()].count("store") == 1
        assert self.records.status()["service"]["api"] == "ok"


def test_long_store_failure_is_reported_once_and_recovers(
    tmp_path: Path,
) -> None:
    failures: dict[str, tuple[Failure, str]] = {
        "locked": (lambda store, _: held_elsewhere(store), "database is locked"),
        "unwritable": (unwritable, "disk I/O error"),
    }
    with contextlib.ExitStack() as stack:
        # In parallel, since each waits out the half minute after which the daemon reports it.
        houses = [House(stack, tmp_path / name, *failure) for name, failure in failures.items()]
        with contextlib.ExitStack() as bad_time:
            for house in houses:
                house.begin(bad_time)
            wait_until(lambda: all(house.inbox.titles() for house in houses), "word of it", patience=90)
            for house in houses:
                house.bears_it()
        for house in houses:
            house.goes_on()


def test_start_waits_for_another_writer_of_the_store(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "SUCCESS")
    installation.configure(watch=[1])
    assert installation.run("db", "upgrade").returncode == 0
    daemon = installation.daemon()
    with contextlib.ExitStack() as other:
        other.enter_context(held_elsewhere(installation.folder / "gemwatch.db"))
        daemon.start()
        try:
            wait_until(lambda: daemon.logged("store_locked"), "word that it waits")
            assert daemon.get("/healthz")[0] == 0
            other.close()
            wait_until(inbox.titles, "the end of the job")
            assert daemon.stop() == 0
        finally:
            daemon.__exit__(None, None, None)
    assert inbox.titles() == ["SUCCESS: job 1"]
