"""The lock file is deleted while a daemon runs: there is still never more than one daemon."""

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

from support.daemon import Daemon, Installation
from support.disk import held
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until


def lock_of(installation: Installation) -> Path:
    return installation.folder / "gemwatch.db.lock"


@contextlib.contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    """The process gets no time until the block ends."""
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def test_deleted_lock_still_keeps_a_second_daemon_out(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    installation.configure(watch=[1])
    lock = lock_of(installation)
    with installation.daemon() as daemon:
        for _ in range(2):
            lock.unlink()
            wait_until(lambda: lock.exists() and lock.read_text().strip() == str(daemon.process.pid), "a new lock")
        second = installation.run("run")
        assert (second.returncode, "Traceback" in second.stderr) == (1, False)
        assert f"as process {daemon.process.pid}:" in second.stderr
        assert installation.json("db", "info")["daemon"] == daemon.process.pid
        assert daemon.stop() == 0


def test_first_daemon_ends_if_a_second_one_took_the_lock(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, tmp_path: Path
) -> None:
    store = installation.folder / "gemwatch.db"
    (tmp_path / "rival").mkdir()
    rival = Installation(tmp_path / "rival", gem, inbox)
    rival.configure(watch=[1], store={"url": f"sqlite:///{store}"})
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as first, contextlib.ExitStack() as stack:
        wait_until(installation.records.history, "the first look")
        second = rival.daemon()
        stack.push(second.__exit__)
        with held(store), stopped(first):  # so the first cannot restore its lock, which reading would do too
            lock_of(installation).unlink()
            second.start()
            wait_until(lambda: second.logged("store_locked"), "the second to have the lock")
        wait_until(lambda: first.process.poll() is not None, "the first to end")
        assert first.process.returncode == 1
        said = first.log_file.read_text()
        assert f"gemwatch already runs on this store, as process {second.process.pid}:" in said
        assert "Traceback" not in said
        gem.answers(1, "SUCCESS")
        wait_until(inbox.titles, "the end")
        assert second.stop() == 0
    assert inbox.titles() == ["SUCCESS: job 1"]
    assert [row["to"] for row in installation.records.history(1)] == ["IN_PROGRESS", "SUCCESS"]
