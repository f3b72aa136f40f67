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
    wait_for_writers,
)
from gemwatch.adapters.store.files import StoreError, file_of
from gemwatch.adapters.store.schema import upgrade
from support.disk import held
from support.waiting import until


def test_second_writer_gets_the_process_id_of_the_first(store_url: str) -> None:
    with WriterLock(store_url), pytest.raises(AlreadyRunningError, match=f"as process {os.getpid()}:"):
        WriterLock(store_url).__enter__()
    with WriterLock(store_url):
        pass


def test_lock_of_a_killed_process_is_free(store_url: str) -> None:
    script = (
        "import os, signal\n"
        "from gemwatch.adapters.store.database import WriterLock\n"
        f"WriterLock({store_url!r}).__enter__()\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script], check=False)
    assert Path(f"{file_of(store_url)}.lock").read_text().strip().isdigit()
    with WriterLock(store_url):
        pass


def test_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write in .*file"):
        WriterLock(f"sqlite:///{tmp_path}/file/gemwatch.db").__enter__()


def test_concurrent_transactions_lose_no_update(store_url: str) -> None:
    def count() -> None:
        engine = open_to_write(store_url)
        for _ in range(25):
            with engine.begin() as connection:
                value = connection.execute(sa.text("SELECT value FROM service WHERE name = 'n'")).scalar_one()
                connection.execute(sa.text("UPDATE service SET value = :v WHERE name = 'n'"), {"v": int(value) + 1})
        engine.dispose()

    engine = open_to_write(store_url)
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


def test_commit_is_synced_and_references_are_checked(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert found == ["wal", 2, 1]


def test_reader_cannot_write(store_url: str) -> None:
    engine = open_to_read(store_url)
    with pytest.raises(sa.exc.OperationalError, match="readonly"), engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM watches"))


async def test_work_waits_for_a_failing_store_and_reports_it(store_url: str, engine: sa.Engine) -> None:
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
    await until(lambda: said, "the trouble to be said")
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
            connection.execute(sa.text("INSERT INTO service VALUES ('n', 0), ('n', 0)"))

    with pytest.raises(sa.exc.IntegrityError):
        await database(wrong)
    database.close()


def test_store_that_stays_locked_is_refused_after_a_wait(store_url: str) -> None:
    said: list[str] = []
    with held(file_of(store_url)):
        wait_for_writers(store_url, 0.5, lambda: said.append("waiting"))
        assert said == ["waiting"]
        with pytest.raises(StoreError, match="database is locked"):
            upgrade(store_url)
    wait_for_writers(store_url, 30, lambda: said.append("waiting"))
    wait_for_writers(f"{store_url}.none", 30, lambda: said.append("waiting"))
    assert said == ["waiting"]
    assert not file_of(f"{store_url}.none").exists()


def test_lock_with_a_deleted_file_is_retaken_or_lost(store_url: str) -> None:
    file = Path(f"{file_of(store_url)}.lock")
    with WriterLock(store_url) as lock:
        engine = open_to_write(store_url, lock=lock)
        file.unlink()
        with engine.begin():
            assert file.read_text() == f"{os.getpid()}\n"
        file.unlink()
        with WriterLock(store_url), pytest.raises(AlreadyRunningError), engine.begin():
            pass
        with engine.begin():  # the other one has ended and left nothing locked
            pass
        engine.dispose()
