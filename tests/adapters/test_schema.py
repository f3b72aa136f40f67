"""Migrations on real files: they agree with the tables, keep a copy, and refuse what they cannot read."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gemwatch.adapters import schema
from gemwatch.adapters.database import StoreError, open_to_read
from gemwatch.adapters.tables import metadata


def test_tables_and_migrations_agree(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_revision_in_the_code_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(schema.alembic_config()).get_heads() == [schema.REVISION]


def test_a_second_upgrade_changes_nothing_and_makes_no_copy(store_url: str, tmp_path: Path) -> None:
    before = (tmp_path / "gemwatch.db").read_bytes()
    assert schema.upgrade(store_url) is None
    assert (tmp_path / "gemwatch.db").read_bytes() == before
    assert not list(tmp_path.glob("*.bak"))


def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(store_url: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "gemwatch.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="schema 9999, which a newer gemwatch made"):
        schema.upgrade(store_url)
    engine = open_to_read(store_url)
    assert schema.revision_of(engine) == "9999"
    with pytest.raises(StoreError, match="the store has schema 9999, this gemwatch reads"):
        schema.check(engine)


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gemwatch.db"
    path.write_text("this is not a database, whatever its name says. " * 40)
    with pytest.raises(StoreError, match="file is not a database"):
        schema.upgrade(f"sqlite:///{path}")
    assert path.read_text().startswith("this is not a database")


def test_a_schema_change_of_a_file_that_exists_leaves_a_copy_of_it(tmp_path: Path) -> None:
    path = tmp_path / "gemwatch.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("CREATE TABLE keepsake (word TEXT)")
        connection.execute("INSERT INTO keepsake VALUES ('kept')")
    copy = schema.copy_before(f"sqlite:///{path}", "0000")
    assert copy == tmp_path / "gemwatch.db.schema-0000.bak"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT word FROM keepsake").fetchall() == [("kept",)]


def test_a_store_that_is_not_there_yet_is_said_to_be_made_by_the_first_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="made by the first `gemwatch run`"):
        open_to_read(f"sqlite:///{tmp_path / 'gemwatch.db'}")
