"""Copies of the store that can be relied upon, and what is said of it."""

import os
import pwd
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gemwatch.adapters.store.schema import REVISION
from support.daemon import Installation
from support.disk import fill, mounted
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until


@pytest.fixture
def told(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> Installation:
    """A store in which job 1 has ended and was told, and job 2 runs."""
    gem.answers(1, "REQUESTED", "SUCCESS")
    gem.answers(2, "IN_PROGRESS")
    installation.configure(watch=[1, 2])
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 1, "the end")
        wait_until(lambda: len(installation.history(2)) == 1, "the first sight of the other")
        assert daemon.stop() == 0
    return installation


def rows(store: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(store)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall()  # our own table names
            for table in ("transitions", "events", "deliveries")
        }


def test_a_backup_made_while_the_daemon_runs_is_whole_and_starts_in_the_stores_place(
    told: Installation, gem: ScriptedGem, inbox: Inbox, tmp_path: Path
) -> None:
    copy, store = tmp_path / "copy.db", told.folder / "gemwatch.db"
    with told.daemon() as daemon:
        asked = gem.asked(2)
        wait_until(lambda: gem.asked(2) > asked, "a poll of this run")
        done = told.run("db", "backup", str(copy))
        assert (done.returncode, done.stderr) == (0, "")
        assert f"schema {REVISION}, checked" in done.stdout
        daemon.kill()
    assert rows(copy) == rows(store)
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))
    for end in ("-wal", "-shm"):
        Path(f"{store}{end}").unlink(missing_ok=True)
    shutil.copy(copy, store)
    with told.daemon() as daemon:
        asked = gem.asked(2)
        wait_until(lambda: gem.asked(2) > asked, "a poll after the restore")
        assert daemon.stop() == 0
    assert told.history(1) == ["REQUESTED", "SUCCESS"]
    assert inbox.titles() == ["SUCCESS: job 1"]


def test_what_only_the_log_holds_is_in_the_backup(told: Installation, tmp_path: Path) -> None:
    store, copy = told.folder / "gemwatch.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(store)) as daemon:
        daemon.execute("PRAGMA wal_autocheckpoint = 0")
        daemon.execute("UPDATE deliveries SET last_error = 'only in the log'")
        daemon.commit()
        daemon.execute("UPDATE deliveries SET last_error = 'not committed'")
        assert told.run("db", "backup", str(copy)).returncode == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT last_error FROM deliveries").fetchall() == [("only in the log",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_a_backup_overwrites_only_when_told_to_and_never_the_store(told: Installation, tmp_path: Path) -> None:
    copy, store = tmp_path / "copy.db", told.folder / "gemwatch.db"
    copy.write_text("precious")
    done = told.run("db", "backup", str(copy))
    assert (done.returncode, copy.read_text()) == (2, "precious")
    assert "exists: name another file, or overwrite it with --force" in done.stderr
    assert told.run("db", "backup", str(copy), "--force").returncode == 0
    assert rows(copy) == rows(store)
    for mine in (store, Path(f"{store}-wal"), Path(f"{store}.lock")):
        done = told.run("db", "backup", str(mine), "--force")
        assert done.returncode == 2
        assert "belongs to the store itself" in done.stderr
    assert "is a folder" in told.run("db", "backup", str(tmp_path), "--force").stderr


def test_a_backup_that_fails_leaves_what_was_there(told: Installation, tmp_path: Path) -> None:
    done = told.run("db", "backup", str(tmp_path / "nowhere" / "copy.db"))
    assert done.returncode == 1
    assert "cannot be written: No such file or directory" in done.stderr
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "gemwatch-test") as small:
        old = small / "copy.db"
        old.write_text("precious")
        fill(small).rename(small / "full")
        done = told.run("db", "backup", str(old), "--force")
        assert done.returncode == 1
        assert "no copy was made" in done.stderr
        assert old.read_text() == "precious"
        assert sorted(file.name for file in small.iterdir()) == ["copy.db", "full"]


def test_a_damaged_store_gives_no_backup(told: Installation, tmp_path: Path) -> None:
    store, copy = told.folder / "gemwatch.db", tmp_path / "copy.db"
    damage(store)
    done = told.run("db", "backup", str(copy))
    assert done.returncode == 1
    assert "the store is damaged" in done.stderr
    assert not copy.exists()


def damage(store: Path) -> None:
    """Overwrite the page that the deliveries' rows are on."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'deliveries'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with store.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 200)


def test_info_says_what_is_in_the_store_and_who_writes_to_it(told: Installation) -> None:
    facts = told.json("db", "info")
    assert (facts["path"], facts["schema"], facts["daemon"]) == (str(told.folder / "gemwatch.db"), REVISION, None)
    assert facts["size"] == (told.folder / "gemwatch.db").stat().st_size
    assert facts["sqlite"] == sqlite3.sqlite_version
    counts = facts["counts"]
    assert counts["jobs"] == {"watched": 2, "by_status": {"IN_PROGRESS": 1, "SUCCESS": 1}}
    assert counts["events"] == {"success": 1}
    assert counts["deliveries"] == {"pending": 0, "sent": 1, "failed": 0}
    assert counts["transitions"]["number"] == 3
    assert counts["transitions"]["oldest"] < counts["transitions"]["newest"]
    with told.daemon() as daemon:
        assert told.json("db", "info")["daemon"] == daemon.process.pid
        shown = told.run("db", "info").stdout
        assert f"process {daemon.process.pid}" in shown
        assert "2, 2 watched (IN_PROGRESS 1, SUCCESS 1)" in shown
        assert daemon.stop() == 0


def test_upgrade_makes_what_run_would_make_and_says_so(installation: Installation) -> None:
    installation.configure()
    store = installation.folder / "gemwatch.db"
    assert installation.run("db", "info").returncode == 1
    done = installation.run("db", "upgrade")
    assert (done.returncode, done.stdout) == (0, f"{store} was made, with schema {REVISION}\n")
    done = installation.run("db", "upgrade")
    assert (done.returncode, done.stdout) == (0, f"{store} has schema {REVISION} already: nothing was done\n")
    with installation.daemon() as daemon:
        done = installation.run("db", "upgrade")
        assert done.returncode == 1
        assert f"as process {daemon.process.pid}" in done.stderr
        assert daemon.stop() == 0


def test_of_a_newer_store_nothing_is_counted_and_upgrade_refuses_it(told: Installation) -> None:
    with closing(sqlite3.connect(told.folder / "gemwatch.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    facts = told.json("db", "info")
    assert (facts["schema"], facts["schema_read"], facts["counts"]) == ("9999", REVISION, None)
    assert f"9999; this gemwatch reads {REVISION}" in told.run("db", "info").stdout
    done = told.run("db", "upgrade")
    assert done.returncode == 1
    assert "a newer gemwatch made" in done.stderr


def test_the_secrets_need_not_be_at_hand(told: Installation, tmp_path: Path) -> None:
    told.configure(api={**told.document["api"], "key": "${A_KEY_THAT_IS_NOT_SET}"})
    assert told.run("db", "info").returncode == 0
    assert told.run("db", "backup", str(tmp_path / "copy.db")).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_store_that_root_makes_belongs_to_the_folders_owner(installation: Installation) -> None:
    owner = pwd.getpwnam("daemon")
    state = installation.folder / "state"
    state.mkdir(mode=0o700)
    os.chown(state, owner.pw_uid, owner.pw_gid)
    for folder in installation.folder.parents:
        if folder.stat().st_uid == 0:
            folder.chmod(folder.stat().st_mode | stat.S_IXOTH)  # the owner of the store has to reach it
    installation.folder.chmod(0o711)
    installation.configure(store={"url": f"sqlite:///{state / 'gemwatch.db'}"})
    done = installation.run("db", "upgrade")
    assert done.returncode == 0, done.stderr
    for file in state.iterdir():
        found = file.stat()
        assert (file.name, found.st_uid, stat.S_IMODE(found.st_mode)) == (file.name, owner.pw_uid, 0o600)
