"""The file and its only writer: locks, transactions, failures."""

import asyncio
import os
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import (
    AlreadyRunningError,
    DatabaseThread,
    WriterLock,
    open_to_read,
    open_to_write,
)
from gemwatch.adapters.store.databases.sqlite import wait_for_writers
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.schema import upgrade
from gemwatch.core.settings import Place
from support.disk import held
from support.waiting import until

sqlite_only = pytest.mark.parametrize("place", ["sqlite"], indirect=True)


def test_second_writer_gets_the_process_id_of_the_first(file: Path) -> None:
    with WriterLock(file), pytest.raises(AlreadyRunningError, match=f"as process {os.getpid()}:"):
        WriterLock(file).__enter__()
    with WriterLock(file):
        pass


def test_lock_of_a_killed_process_is_free(file: Path) -> None:
    script = (
        "import os, signal\n"
        "from pathlib import Path\n"
        "from gemwatch.adapters.store.database import WriterLock\n"
        f"WriterLock(Path({str(file)!r})).__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert Path(f"{file}.lock").read_text().strip().isdigit()
    with WriterLock(file):
        pass


def test_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write in .*file"):
        WriterLock(tmp_path / "file/gemwatch.db").__enter__()


def test_concurrent_transactions_lose_no_update(file: Path) -> None:
    def count() -> None:
        engine = open_to_write(file)
        for _ in range(25):
            with engine.begin() as connection:
                value = connection.execute(sa.text("SELECT value FROM service WHERE name = 'n'")).scalar_one()
                connection.execute(sa.text("UPDATE service SET value = :v WHERE name = 'n'"), {"v": int(value) + 1})
        engine.dispose()

    engine = open_to_write(file)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO service VALUES ('n', 0)"))
    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.begin() as connection:
        assert int(connection.execute(sa.text("SELECT value FROM service WHERE name = 'n'")).scalar_one()) == 100
    engine.dispose()


@sqlite_only
def test_commit_is_synced_and_references_are_checked(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


def test_reader_cannot_write(place: Place) -> None:
    engine = open_to_read(place)
    with pytest.raises(sa.exc.DatabaseError, match=r"read-?only"), engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM watches"))


@sqlite_only
async def test_work_waits_for_a_failing_store_and_reports_it(engine: sa.Engine) -> None:
    said: list[str | None] = []
    database = DatabaseThread(said.append)
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE service RENAME TO hidden"))

    def read() -> int:
        with engine.begin() as connection:
            return int(connection.execute(sa.text("SELECT count(*) FROM service")).scalar_one())

    def mend() -> None:
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("ALTER TABLE hidden RENAME TO service")

    reading = asyncio.create_task(database(read))
    await until(lambda: said, "the failure to be reported")
    assert said == ["no such table: service"]
    assert database.failure == "no such table: service"
    await database(mend)
    assert await reading == 1  # the note from the migrations
    assert said[-1] is None
    database.close()


async def test_programming_error_is_raised_at_once(engine: sa.Engine) -> None:
    database = DatabaseThread()

    def wrong() -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO service VALUES ('n', '0'), ('n', '0')"))

    with pytest.raises(sa.exc.IntegrityError):
        await database(wrong)
    database.close()


def test_store_that_stays_locked_is_refused_after_a_wait(file: Path) -> None:
    said: list[str] = []
    with held(file):
        wait_for_writers(file, 0.5, lambda: said.append("waiting"))
        assert said == ["waiting"]
        with pytest.raises(StoreError, match="database is locked"):
            upgrade(file)
    wait_for_writers(file, 30, lambda: said.append("waiting"))
    wait_for_writers(file.with_name("none"), 30, lambda: said.append("waiting"))
    assert said == ["waiting"]
    assert not file.with_name("none").exists()


def test_lock_with_a_deleted_file_is_retaken_or_lost(file: Path) -> None:
    lock_file = Path(f"{file}.lock")
    with WriterLock(file) as lock:
        engine = open_to_write(file, lock=lock)
        lock_file.unlink()
        with engine.begin():
            assert lock_file.read_text() == f"{os.getpid()}\n"
        lock_file.unlink()
        with WriterLock(file), pytest.raises(AlreadyRunningError), engine.begin():
            pass
        with engine.begin():  # the other one has ended and left nothing locked
            pass
        engine.dispose()
