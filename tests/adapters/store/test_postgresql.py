"""What only PostgreSQL does: lost connections, deadlocks, settings of a transaction, servers that cannot be used."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import DatabaseThread, open_to_read, open_to_write, relaxed
from gemwatch.adapters.store.databases.postgresql import check_server
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.notes import read_note, write_notes
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.rerouting import read_health, write_health
from gemwatch.adapters.store.schema import REVISION, revision_of, upgrade
from gemwatch.adapters.store.tables import service, watches
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.settings import Postgresql, Watch
from gemwatch.core.target_health import TargetHealth
from support.postgresql import administer, new_database
from support.waiting import until, wait_until

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def place() -> Iterator[Postgresql]:
    with new_database() as database:
        yield database


def test_settings_last_for_one_transaction(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        found = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in (
                "statement_timeout",
                "lock_timeout",
                "idle_in_transaction_session_timeout",
                "synchronous_commit",
            )
        ]
    assert found == ["10s", "5s", "10s", "on"]
    with relaxed(engine).begin() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "off"
        driver = connection.connection.driver_connection
    assert driver is not None
    assert driver.execute("SHOW synchronous_commit").fetchone() == ("on",)


async def test_lost_connection_is_reported_and_made_again(place: Postgresql, engine: sa.Engine) -> None:
    said: list[str | None] = []
    database = DatabaseThread(said.append)

    def read() -> int:
        with engine.begin() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM watches").scalar_one())

    assert await database(read) == 0
    administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{place.database}'")
    assert await database(read) == 0
    assert [bool(reason) for reason in said] == [True, False]
    database.close()


async def test_database_that_is_gone_for_a_while_is_waited_for(place: Postgresql, engine: sa.Engine) -> None:
    said: list[str | None] = []
    database = DatabaseThread(said.append)
    administer(f"ALTER DATABASE {place.database} ALLOW_CONNECTIONS false")

    def read() -> int:
        with engine.begin() as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM watches").scalar_one())

    reading = asyncio.create_task(database(read))
    await until(lambda: said, "the failure to be reported")
    assert "not currently accepting connections" in (database.failure or "")
    administer(f"ALTER DATABASE {place.database} ALLOW_CONNECTIONS true")
    assert await reading == 0
    assert said[-1] is None
    database.close()


async def test_deadlock_is_repeated_without_a_report(place: Postgresql) -> None:
    said: list[str | None] = []
    repeated: list[None] = []
    databases = [DatabaseThread(said.append, lambda: repeated.append(None)) for _ in range(2)]
    engines = [open_to_write(place) for _ in range(2)]
    WatchList(engines[0]).apply([Watch(job_id=1), Watch(job_id=2)], MINUTE, NOW)
    both, first = threading.Barrier(2), [True, True]

    def write(number: int) -> None:
        with engines[number].begin() as connection:
            for job_id in (1, 2) if number == 0 else (2, 1):
                connection.execute(sa.update(watches).where(watches.c.job_id == job_id).values(name=str(number)))
                if first[number]:
                    first[number] = False
                    both.wait(10)

    await asyncio.gather(*(databases[number](write, number) for number in range(2)))
    assert repeated
    assert said == []
    for one in (*databases, *engines):
        one.close() if isinstance(one, DatabaseThread) else one.dispose()


def test_two_claims_at_once_get_different_jobs(place: Postgresql) -> None:
    engines = [open_to_write(place) for _ in range(2)]
    WatchList(engines[0]).apply([Watch(job_id=number) for number in range(1, 11)], MINUTE, NOW)
    with engines[0].begin() as connection:  # has locked what it claims, and not committed
        held = sa.select(watches.c.job_id).order_by(watches.c.job_id).limit(5).with_for_update()
        assert list(connection.execute(held).scalars()) == [1, 2, 3, 4, 5]
        claimed = Store(engines[1]).claim_watches(NOW, 100, MINUTE)
        assert sorted(claim.tracked.job_id for claim in claimed) == [6, 7, 8, 9, 10]
    for engine in engines:
        engine.dispose()


def test_nul_in_a_text_becomes_a_question_mark(engine: sa.Engine) -> None:
    WatchList(engine).apply([Watch(job_id=1, name="a\0b")], MINUTE, NOW)
    with engine.begin() as connection:
        assert connection.execute(sa.select(watches.c.name)).scalar_one() == "a?b"


def test_two_starts_at_once_make_the_tables_once() -> None:
    with new_database(empty=True) as place:
        failed: list[BaseException] = []

        def start() -> None:
            try:
                upgrade(place)
            except BaseException as error:
                failed.append(error)

        starts = [threading.Thread(target=start) for _ in range(2)]
        for one in starts:
            one.start()
        for one in starts:
            one.join()
        assert failed == []
        assert revision_of(open_to_read(place)) == REVISION


@pytest.mark.parametrize("what", ["a note", "a target"])
def test_row_that_two_replicas_write_first_is_written_twice(what: str, engine: sa.Engine, place: Postgresql) -> None:
    other, health = open_to_write(place), TargetHealth(probes=1)

    def write(connection: sa.Connection) -> None:
        if what == "a note":
            write_notes(connection, {"version": "2.0"})
        else:
            write_health(connection, "team", health)

    def second() -> None:
        with other.begin() as connection:
            write(connection)

    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"  # pg_stat_activity would be read once per transaction
    with ThreadPoolExecutor(1) as pool:
        with engine.begin() as first:
            write(first)
            written = pool.submit(second)
            wait_until(lambda: written.done() or first.exec_driver_sql(waiting).scalar_one() > 0)
        written.result(30)
    with engine.begin() as connection:
        assert read_note(connection, "version") == ("2.0" if what == "a note" else None)
        assert read_health(connection) == ({} if what == "a note" else {"team": health})
    other.dispose()


def test_database_with_another_encoding_is_refused() -> None:
    with new_database(empty=True) as place:
        other = replace(place, database=f"{place.database}_latin")
        administer(
            f"CREATE DATABASE {other.database} TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        with pytest.raises(StoreError, match="has the encoding LATIN1"):
            upgrade(other)
        administer(f"DROP DATABASE {other.database} WITH (FORCE)")


def test_older_server_is_refused(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.dialect.server_version_info = (13, 4)
        with pytest.raises(StoreError, match="needs PostgreSQL 14 or later, and this server is 13"):
            check_server(connection)


def test_missing_driver_is_named(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from gemwatch.adapters.store.schema import upgrade\n"
        "from gemwatch.core.settings import Postgresql\n"
        "upgrade(Postgresql(database='d'))"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert "StoreError: store.url names a PostgreSQL database, and psycopg is not installed" in done.stderr


def test_unreachable_server_is_named_without_its_password() -> None:
    place = Postgresql(database="store", host="127.0.0.1", port=1, user="me", password="a-secret-word")
    with pytest.raises(StoreError, match=r"postgresql\+psycopg://me@127\.0\.0\.1:1/store.*refused") as caught:
        upgrade(place)
    assert "a-secret-word" not in f"{caught.value!r} {place!r} {place}"


def test_marker_changes_with_commits_of_others_only(engine: sa.Engine, place: Postgresql) -> None:
    reading = open_to_read(place)

    def marker() -> str:
        with reading.begin() as connection:
            return dialects.marker(connection)

    first = marker()
    assert marker() == first
    with engine.begin() as connection:
        connection.execute(sa.insert(service), {"name": "n", "value": 1})
    assert marker() != first
