"""Failures of the store: polling pauses, health shows the failure, and work resumes afterwards."""

import contextlib
import json
import sqlite3
import threading
from pathlib import Path

import pytest

from support.daemon import Daemon, Installation
from support.disk import fill, held, immutable, mounted
from support.gem import Answer, ScriptedGem, document
from support.inbox import Inbox
from support.tools import needs
from support.waiting import wait_until


def unhealthy(daemon: Daemon, why: str) -> bool:
    status, text = daemon.get("/healthz")
    return status == 503 and why in text


def healthy(daemon: Daemon) -> bool:
    return daemon.get("/healthz")[0] == 200


def test_locked_store_pauses_everything_and_loses_nothing(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "IN_PROGRESS")
    gem.answers(2, "IN_PROGRESS", "IN_PROGRESS", "SUCCESS")
    installation.configure(watch=[1, 2])
    with installation.daemon() as daemon:
        wait_until(lambda: len(installation.records.history()) == 2, "the first looks")
        with held(installation.folder / "gemwatch.db"):
            asked = len(gem.requests)
            gem.answers(1, "SUCCESS")
            wait_until(lambda: unhealthy(daemon, "database is locked"), "health to say so")
            assert len(gem.requests) <= asked + 2
            assert inbox.titles() == []
        wait_until(lambda: len(inbox.messages) == 2 and healthy(daemon), "both ends and health")
        assert daemon.stop() == 0
    assert sorted(inbox.titles()) == ["SUCCESS: job 1", "SUCCESS: job 2"]
    assert installation.records.status()["service"]["api"] == "ok"
    assert [row["to"] for row in installation.records.history(1)] == ["IN_PROGRESS", "SUCCESS"]


def test_stop_while_the_store_is_locked_is_a_clean_stop(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    answered = threading.Event()
    gem.answers(1, "IN_PROGRESS", Answer(body=json.dumps(document(1, "SUCCESS")).encode(), hold=answered))
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(1) >= 2, "a request in hand")
        with held(installation.folder / "gemwatch.db"):
            answered.set()
            assert daemon.stop() == 0
    with installation.daemon() as daemon:
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 1"], "the end, seen again")


def test_full_disk_stops_nothing_for_good(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, tmp_path: Path
) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=4m", "none") as small:
        jobs = range(1, 9)
        for job_id in jobs:
            gem.answers(job_id, "REQUESTED")
        installation.configure(watch=list(jobs), store={"url": f"sqlite:///{small / 'gemwatch.db'}"})
        with installation.daemon() as daemon:
            wait_until(lambda: all(gem.asked(job_id) for job_id in jobs), "the first looks")
            filler = fill(small)
            for job_id in jobs:
                gem.answers(job_id, document(job_id, "IN_PROGRESS", note="x" * 300_000))
            wait_until(lambda: unhealthy(daemon, "disk is full"), "health to say so")
            assert inbox.titles() == []
            for job_id in jobs:
                gem.answers(job_id, "SUCCESS")
            filler.unlink()
            wait_until(lambda: healthy(daemon) and inbox.messages, "the ends")
            wait_until(
                lambda: "pending" not in daemon.get("/healthz")[1] and reported(inbox) == set(jobs), "every end"
            )
            assert daemon.stop() == 0
        with contextlib.closing(sqlite3.connect(small / "gemwatch.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@needs("e2fsprogs")
def test_read_only_store_pauses_everything_until_writable(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        wait_until(installation.records.history, "the first look")
        with immutable(installation.folder / "gemwatch.db"):
            wait_until(lambda: unhealthy(daemon, "the store does not work: disk I/O error"), "health to say so")
            asked = gem.asked(1)
            gem.answers(1, "SUCCESS")
            assert gem.asked(1) <= asked + 1  # the one that was being sent
            assert inbox.titles() == []
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 1"] and healthy(daemon), "the end")
        assert daemon.stop() == 0
        assert len(daemon.logged("component_failed")) == len(daemon.logged("component_recovered")) == 1
    assert [row["to"] for row in installation.records.history(1)] == ["IN_PROGRESS", "SUCCESS"]


def reported(inbox: Inbox) -> set[int]:
    text = "\n".join(f"{message.title}\n{message.body}" for message in inbox.messages)
    return {job_id for job_id in range(1, 9) if f"SUCCESS: job {job_id}" in text}


@pytest.mark.parametrize("replaced", [False, True], ids=["deleted", "replaced"])
def test_missing_store_is_used_again_when_it_is_back(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, *, replaced: bool
) -> None:
    store, aside = installation.folder / "gemwatch.db", installation.folder / "aside.db"
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        wait_until(installation.records.history, "the first look")
        store.rename(aside)
        if replaced:
            store.write_bytes(aside.read_bytes())
        wait_until(lambda: unhealthy(daemon, "deleted or replaced"), "health to say so")
        gem.answers(1, "SUCCESS")
        aside.rename(store)
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 1"] and healthy(daemon), "the end")
        assert daemon.stop() == 0
    assert [row["to"] for row in installation.records.history(1)] == ["IN_PROGRESS", "SUCCESS"]


def test_damaged_store_ends_the_start_with_a_clear_error(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=list(range(1, 200)))
    with installation.daemon() as daemon:
        wait_until(installation.records.history, "the first look")
        assert daemon.stop() == 0
    store = installation.folder / "gemwatch.db"
    pages = store.read_bytes()
    store.write_bytes(pages[:8192] + b"\xa5" * (len(pages) - 8192))
    done = installation.run("run")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "gemwatch.db" in done.stderr
    assert inbox.titles() == []


def test_store_of_a_newer_version_is_left_alone(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        assert daemon.stop() == 0
    with contextlib.closing(sqlite3.connect(installation.folder / "gemwatch.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE service SET value = '\"9999\"' WHERE name = 'least_schema'")
    done = installation.run("run")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "schema 9999, which a newer gemwatch made" in done.stderr


def test_unwritable_store_ends_the_start_with_a_clear_error(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    installation.configure(watch=[1], store={"url": f"sqlite:///{kept / 'gemwatch.db'}"})
    with installation.daemon() as daemon:
        assert daemon.stop() == 0
    with mounted(kept, "--bind", "-o", "ro", str(kept)):
        done = installation.run("run")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert f"cannot write in {kept}" in done.stderr


def test_crash_during_a_migration_leaves_a_store_that_starts(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(1, "SUCCESS")
    installation.configure(watch=[1])
    died = 0
    for count in (2, 5, 9, 14, 20):
        with installation.daemon(("statement", "any", count)) as daemon:
            died += daemon.process.poll() == -9
    with installation.daemon() as daemon:
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 1"], "the end")
        assert daemon.stop() == 0
    assert died == 5
