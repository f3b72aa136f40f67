"""The store's files: any folder, private, usable after another user read them, and named in errors."""

import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from gemwatch.adapters.store import backup, schema
from gemwatch.adapters.store.database import AlreadyRunningError, WriterLock, open_to_read, open_to_write
from gemwatch.adapters.store.files import StoreError, cannot_use, prepare, remote_filesystem
from gemwatch.cli.run import opened
from support.json_records import JsonRecords
from support.users import NOBODY, acting_as, reachable

ODD = [
    "job_feature%2Fx",
    "what?",
    "a%20b",
    "a#b",
    "a b",
    "ä;b",
    "50%",
    "q?mode=ro",
    "it's",
    '"',
    "[x]",
    "a:b",
    "~",
    "&=+",
]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def place_in(folder: Path) -> Path:
    return folder / "gemwatch.db"


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder that every user can write to."""
    reachable(tmp_path)
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize("name", ODD)
def test_store_works_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    place = place_in(folder)
    with WriterLock(place):
        schema.upgrade(place)
    engine = open_to_read(place)
    assert JsonRecords(engine).status()["jobs"] == []
    engine.dispose()
    backup.backup(place, folder / "copy.db")
    assert {path.name for path in folder.iterdir()} == {"gemwatch.db", "gemwatch.db.lock", "copy.db"}
    assert {path.name for path in tmp_path.iterdir()} == {name}


def test_folders_that_differ_by_an_escape_have_their_own_stores(tmp_path: Path) -> None:
    assert place_in(tmp_path / "a%20b") != place_in(tmp_path / "a b")
    for name in ("a%20b", "a b"):
        (tmp_path / name).mkdir()
        schema.upgrade(place_in(tmp_path / name))
        assert (tmp_path / name / "gemwatch.db").exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_files_are_private_under_any_umask(tmp_path: Path, umask: int) -> None:
    place, before = place_in(tmp_path), os.umask(umask)
    try:
        with WriterLock(place):
            schema.upgrade(place)
            engine = open_to_write(place)
            with engine.begin() as connection:
                connection.exec_driver_sql("DELETE FROM service")
                backup.backup(place, tmp_path / "copy.db")
                schema.copy_before(place, "0000")
                names = {path.name for path in tmp_path.iterdir()}
                modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
            engine.dispose()
    finally:
        os.umask(before)
    assert {"gemwatch.db", "gemwatch.db-wal", "gemwatch.db-shm", "gemwatch.db.lock", "copy.db"} <= names
    assert {name: mode for name, mode in modes.items() if mode != 0o600} == {}


def test_files_of_an_earlier_version_are_closed_to_others(tmp_path: Path) -> None:
    place, path = place_in(tmp_path), tmp_path / "gemwatch.db"
    schema.upgrade(place)
    (tmp_path / "gemwatch.db.lock").touch()
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    with WriterLock(place):
        schema.upgrade(place)
    assert {stat.S_IMODE(file.stat().st_mode) for file in (path, tmp_path / "gemwatch.db.lock")} == {0o640}


def test_reader_creates_no_file(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    schema.upgrade(place)
    before = {path.name for path in tmp_path.iterdir()}
    engine = open_to_read(place)
    assert JsonRecords(engine).status()["jobs"] == []
    assert {path.name for path in tmp_path.iterdir()} == before
    engine.dispose()
    assert {path.name for path in tmp_path.iterdir()} == before


def test_reader_sees_commits_that_are_only_in_the_wal(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    schema.upgrade(place)
    reading, writing = open_to_read(place), open_to_write(place, checkpoints=False)
    with writing.begin() as connection:
        connection.exec_driver_sql("INSERT INTO watches (job_id, watched, every) VALUES (7, 1, 60000000)")
    assert [job["job_id"] for job in JsonRecords(reading).status()["jobs"]] == [7]
    reading.dispose()
    writing.dispose()


@as_root
def test_start_works_after_another_user_read_the_store(shared: Path) -> None:
    place, path = place_in(shared), shared / "gemwatch.db"
    with acting_as(NOBODY):
        schema.upgrade(place)
        path.chmod(0o666)
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:  # like root's sqlite3(1)
        connection.execute("SELECT * FROM watches").close()
    for end in ("-wal", "-shm"):
        file = Path(f"{path}{end}")
        file.touch()
        os.chown(file, 0, 0)
        file.chmod(0o600)
    with acting_as(NOBODY), opened(place):
        engine = open_to_write(place)
        engine.connect().close()
        engine.dispose()
    assert {file.name for file in shared.iterdir()} == {"gemwatch.db", "gemwatch.db.lock"}


@as_root
@pytest.mark.parametrize("end", ["", "-wal", ".lock"])
def test_start_names_the_file_and_owner_in_the_way(shared: Path, end: str) -> None:
    place, file = place_in(shared), Path(f"{shared / 'gemwatch.db'}{end}")
    with acting_as(NOBODY):
        schema.upgrade(place)
    file.write_bytes(b"log" if end == "-wal" else b"" if end else file.read_bytes())
    os.chown(file, 0, 0)
    file.chmod(0o600)
    with acting_as(NOBODY), pytest.raises(StoreError) as caught, opened(place):
        pass
    assert f"{file} belongs to user root with mode 0600, and this is user nobody" in str(caught.value)


@as_root
def test_other_user_gets_a_clear_error(shared: Path) -> None:
    place = place_in(shared)
    schema.upgrade(place)
    shared.chmod(0o700)
    with acting_as(NOBODY), pytest.raises(StoreError, match="belongs to user root with mode 0700"):
        open_to_read(place)
    with acting_as(NOBODY), pytest.raises(StoreError, match="belongs to user root with mode 0700"), WriterLock(place):
        pass


@as_root
def test_store_made_by_root_belongs_to_the_folders_owner(shared: Path) -> None:
    os.chown(shared, NOBODY, NOBODY)
    shared.chmod(0o750)
    place = place_in(shared)
    with WriterLock(place):
        schema.upgrade(place)
    assert {(file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) for file in shared.iterdir()} == {(NOBODY, 0o600)}
    with acting_as(NOBODY), WriterLock(place):
        schema.upgrade(place)


def test_lock_does_not_follow_a_link(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / "gemwatch.db.lock").symlink_to(precious)
    with pytest.raises(StoreError, match="is a symbolic link"), WriterLock(place_in(tmp_path)):
        pass
    assert precious.read_text() == "kept"


def test_second_writer_fails_at_once_and_names_the_first(tmp_path: Path) -> None:
    place = place_in(tmp_path)
    with WriterLock(place), pytest.raises(AlreadyRunningError, match=f"as process {os.getpid()}"), WriterLock(place):
        pass


def test_store_behind_a_link_is_used(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "gemwatch.db").symlink_to(tmp_path / "real" / "store.db")
    schema.upgrade(place_in(tmp_path))
    assert stat.S_IMODE((tmp_path / "real" / "store.db").stat().st_mode) == 0o600


MOUNTS = """\
21 1 8:1 / / rw - ext4 /dev/sda1 rw
22 21 0:44 / /srv/nfs\\040share rw - nfs4 server:/x rw
23 21 0:45 / /srv/windows rw - cifs //server/x rw
24 22 8:2 / /srv/nfs\\040share/local rw - ext4 /dev/sdb1 rw
25 21 0:46 / /mnt rw - 9p host rw
odd line
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/nfs share/gemwatch.db", "nfs4"),
        ("/srv/nfs share/local/gemwatch.db", None),
        ("/srv/windows/a/gemwatch.db", "cifs"),
        ("/srv/windows2/gemwatch.db", None),
        ("/mnt/gemwatch.db", "9p"),
        ("/var/lib/gemwatch/gemwatch.db", None),
    ],
)
def test_network_file_systems_are_recognized(tmp_path: Path, path: str, kind: str | None) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS)
    assert remote_filesystem(Path(path), mounts) == kind


def test_missing_mount_list_is_not_a_network_file_system(tmp_path: Path) -> None:
    assert remote_filesystem(tmp_path, tmp_path / "none") is None


def test_other_errors_are_named(tmp_path: Path) -> None:
    assert cannot_use(tmp_path, OSError(28, "No space left on device")) == (
        f"{tmp_path} cannot be used: no space left on device"
    )


def test_folder_in_place_of_the_store_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "gemwatch.db").mkdir()
    with pytest.raises(StoreError), opened(place_in(tmp_path)):
        pass


def test_prepare_makes_an_empty_private_file(tmp_path: Path) -> None:
    prepare(tmp_path / "gemwatch.db")
    assert (tmp_path / "gemwatch.db").stat().st_size == 0
