"""Copies of the store that can be relied upon, and what gemwatch reports about it."""

import os
import pwd
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gemwatch.adapters.store.schema import LEAST, REVISION
from support.daemon import Installation
from support.disk import fill, mounted
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until


@pytest.fixture
def reported(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> Installation:
    """A store in which job 1 has ended and was reported, and job 2 runs."""
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


def test_backup_of_a_running_daemon_is_complete_and_usable(
    reported: Installation, gem: ScriptedGem, inbox: Inbox, tmp_path: Path
) -> None:
    copy, store = tmp_path / "copy.db", reported.folder / "gemwatch.db"
    with reported.daemon() as daemon:
        asked = gem.asked(2)
        wait_until(lambda: gem.asked(2) > asked, "a poll of this run")
        done = reported.run("db", "backup", str(copy))
        assert (done.returncode, done.stderr) == (0, "")
        assert f"schema {REVISION}, checked" in done.stdout
        daemon.kill()
    assert rows(copy) == rows(store)
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))
    for end in ("-wal", "-shm"):
        Path(f"{store}{end}").unlink(missing_ok=True)
    shutil.copy(copy, store)
    with reported.daemon() as daemon:
        asked = gem.asked(2)
        wait_until(lambda: gem.asked(2) > asked, "a poll after the restore")
        assert daemon.stop() == 0
    assert reported.history(1) == ["REQUESTED", "SUCCESS"]
    assert inbox.titles() == ["SUCCESS: job 1"]


def test_backup_includes_the_write_ahead_log(reported: Installation, tmp_path: Path) -> None:
    store, copy = reported.folder / "gemwatch.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(store)) as daemon:
        daemon.execute("PRAGMA wal_autocheckpoint = 0")
        daemon.execute("UPDATE deliveries SET last_error = 'only in the log'")
        daemon.commit()
        daemon.execute("UPDATE deliveries SET last_error = 'not committed'")
        assert reported.run("db", "backup", str(copy)).returncode == 0
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT last_error FROM deliveries").fetchall() == [("only in the log",)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_backup_overwrites_only_with_force_and_never_the_store(reported: Installation, tmp_path: Path) -> None:
    copy, store = tmp_path / "copy.db", reported.folder / "gemwatch.db"
    copy.write_text("precious")
    done = reported.run("db", "backup", str(copy))
    assert (done.returncode, copy.read_text()) == (2, "precious")
    assert "exists: name another file, or overwrite it with --force" in done.stderr
    assert reported.run("db", "backup", str(copy), "--force").returncode == 0
    assert rows(copy) == rows(store)
    for mine in (store, Path(f"{store}-wal"), Path(f"{store}.lock")):
        done = reported.run("db", "backup", str(mine), "--force")
        assert done.returncode == 2
        assert "belongs to the store itself" in done.stderr
    assert "is a folder" in reported.run("db", "backup", str(tmp_path), "--force").stderr


def test_failed_backup_keeps_the_existing_file(reported: Installation, tmp_path: Path) -> None:
    done = reported.run("db", "backup", str(tmp_path / "nowhere" / "copy.db"))
    assert done.returncode == 1
    assert "cannot be written: No such file or directory" in done.stderr
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=64k", "gemwatch-test") as small:
        old = small / "copy.db"
        old.write_text("precious")
        fill(small).rename(small / "full")
        done = reported.run("db", "backup", str(old), "--force")
        assert done.returncode == 1
        assert "no copy was made" in done.stderr
        assert old.read_text() == "precious"
        assert sorted(file.name for file in small.iterdir()) == ["copy.db", "full"]


def test_backup_refuses_a_damaged_store(reported: Installation, tmp_path: Path) -> None:
    store, copy = reported.folder / "gemwatch.db", tmp_path / "copy.db"
    damage(store)
    done = reported.run("db", "backup", str(copy))
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


def test_info_shows_the_stores_content_and_its_writer(reported: Installation) -> None:
    facts = reported.json("db", "info")
    assert (facts["path"], facts["schema"], facts["daemon"]) == (str(reported.folder / "gemwatch.db"), REVISION, None)
    assert facts["size"] == (reported.folder / "gemwatch.db").stat().st_size
    assert facts["sqlite"] == sqlite3.sqlite_version
    counts = facts["counts"]
    assert counts["jobs"] == {"watched": 2, "by_status": {"IN_PROGRESS": 1, "SUCCESS": 1}}
    assert counts["events"] == {"success": 1}
    assert counts["deliveries"] == {"pending": 0, "sent": 1, "failed": 0, "rerouted": 0}
    assert counts["transitions"]["number"] == 3
    assert counts["transitions"]["oldest"] < counts["transitions"]["newest"]
    with reported.daemon() as daemon:
        assert reported.json("db", "info")["daemon"] == daemon.process.pid
        shown = reported.run("db", "info").stdout
        assert f"process {daemon.process.pid}" in shown
        assert "2, 2 watched (IN_PROGRESS 1, SUCCESS 1)" in shown
        assert daemon.stop() == 0


def test_upgrade_creates_the_same_schema_as_run(installation: Installation) -> None:
    installation.configure()
    store = installation.folder / "gemwatch.db"
    assert installation.run("db", "info").returncode == 1
    done = installation.run("db", "upgrade")
    assert (done.returncode, done.stdout) == (0, f"{store} was created, with schema {REVISION}\n")
    done = installation.run("db", "upgrade")
    assert (done.returncode, done.stdout) == (0, f"{store} has schema {REVISION} already; nothing was done\n")
    with installation.daemon() as daemon:
        done = installation.run("db", "upgrade")
        assert done.returncode == 1
        assert f"as process {daemon.process.pid}" in done.stderr
        assert daemon.stop() == 0


def test_newer_store_is_not_counted_and_not_upgraded(reported: Installation) -> None:
    with closing(sqlite3.connect(reported.folder / "gemwatch.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    done = reported.run("db", "upgrade")  # every revision so far can be used by this version
    assert (done.returncode, "nothing was done" in done.stdout) == (0, True)
    with closing(sqlite3.connect(reported.folder / "gemwatch.db")) as connection, connection:
        connection.execute("DELETE FROM service WHERE name = ?", (LEAST,))
    facts = reported.json("db", "info")
    assert (facts["schema"], facts["schema_read"], facts["counts"]) == ("9999", REVISION, None)
    assert f"9999; this gemwatch reads {REVISION}" in reported.run("db", "info").stdout
    done = reported.run("db", "upgrade")
    assert done.returncode == 1
    assert "a newer gemwatch made" in done.stderr


def test_db_commands_need_no_secrets(reported: Installation, tmp_path: Path) -> None:
    reported.configure(api={**reported.document["api"], "key": "${A_KEY_THAT_IS_NOT_SET}"})
    assert reported.run("db", "info").returncode == 0
    assert reported.run("db", "backup", str(tmp_path / "copy.db")).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_store_created_by_root_belongs_to_the_folders_owner(installation: Installation) -> None:
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
