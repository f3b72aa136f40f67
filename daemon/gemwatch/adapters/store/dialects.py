"""What SQLite and PostgreSQL spell differently. Every other statement of the store is the same for both."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement, ReturnTypeFromArgs

RELAXED = "gemwatch_relaxed"  # the option of an engine whose commits do not wait for the disk
READING = "gemwatch_reading"  # the option of an engine whose transactions take no lock that keeps writers waiting
LEADING = "gemwatch_leading"  # the option of an engine whose transactions only the leading replica may make
_MIGRATIONS = 0x67656D7761746368  # the key of PostgreSQL's advisory lock: "gemwatch"

# What passes when the transaction is repeated: serialization failure, deadlock, lock not available.
_PASSING = ("40001", "40P01", "55P03")


class least(ReturnTypeFromArgs[Any]):  # noqa: N801 (SQLAlchemy finds it by this name: sa.func.least)
    """The smallest argument. None may be NULL: SQLite would return NULL, PostgreSQL ignores it."""

    inherit_cache = True


class greatest(ReturnTypeFromArgs[Any]):  # noqa: N801 (as above)
    """The largest argument. None may be NULL."""

    inherit_cache = True


@compiles(least, "sqlite")
def _least(element: least, compiler: SQLCompiler, **options: Any) -> str:
    return f"min({compiler.process(element.clauses, **options)})"


@compiles(greatest, "sqlite")
def _greatest(element: greatest, compiler: SQLCompiler, **options: Any) -> str:
    return f"max({compiler.process(element.clauses, **options)})"


class random_below(FunctionElement[int]):  # noqa: N801 (used like a function of SQL)
    """A random whole number from 0 to one less than the argument."""

    type = sa.BigInteger()
    inherit_cache = True


@compiles(random_below, "sqlite")
def _random_below(element: random_below, compiler: SQLCompiler, **options: Any) -> str:
    return f"abs(random()) % ({compiler.process(element.clauses, **options)})"


@compiles(random_below, "postgresql")
def _random_below_postgresql(element: random_below, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST(floor(random() * ({compiler.process(element.clauses, **options)})) AS BIGINT)"


class _JsonItems(FunctionElement[Any]):
    """The items of a JSON array, one per row, in a column `value`."""

    name = "json_items"
    inherit_cache = True


@compiles(_JsonItems, "sqlite")
def _json_items(element: _JsonItems, compiler: SQLCompiler, **options: Any) -> str:
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(_JsonItems, "postgresql")
def _json_items_postgresql(element: _JsonItems, compiler: SQLCompiler, **options: Any) -> str:
    return f"jsonb_array_elements(CAST({compiler.process(element.clauses, **options)} AS JSONB))"


class _JsonField(FunctionElement[Any]):
    """A field of a JSON array, by its number from 0."""

    inherit_cache = True

    def __init__(self, row: sa.ColumnElement[Any], number: int, type_: sa.types.TypeEngine[Any]) -> None:
        self.type = type_
        super().__init__(row, sa.literal_column(str(number)))


@compiles(_JsonField, "sqlite")
def _json_field(element: _JsonField, compiler: SQLCompiler, **options: Any) -> str:
    row, number = (compiler.process(part, **options) for part in element.clauses)
    return f"json_extract({row}, '$[{number}]')"


@compiles(_JsonField, "postgresql")
def _json_field_postgresql(element: _JsonField, compiler: SQLCompiler, **options: Any) -> str:
    row, number = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST({row} ->> {number} AS {compiler.dialect.type_compiler_instance.process(element.type)})"


def rows(parameter: str, **columns: sa.types.TypeEngine[Any]) -> sa.Subquery:
    """The rows of a JSON array of arrays, which is one parameter of the statement, with these columns.

    One statement for many rows: `executemany` works row by row, during which the event loop and the store's thread
    compete for the interpreter.
    """
    items = _JsonItems(sa.bindparam(parameter, type_=sa.Text())).table_valued("value", name="items")
    fields = (
        _JsonField(items.c.value, number, type_).label(name) for number, (name, type_) in enumerate(columns.items())
    )
    return sa.select(*fields).select_from(items).subquery(parameter)


def name_of(engine: sa.Engine) -> str:
    """The file, or the URL without the password and the options."""
    if engine.dialect.name == "postgresql":
        return engine.url.set(query={})._replace(password=None).render_as_string()
    return str(engine.url.database)


def lock(connection: sa.Connection, key: sa.Column[int], ids: Collection[int]) -> None:
    """Before a write to several rows: lock them in the order of their ids, so that two writers do not deadlock.

    SQLite has one writer.
    """
    if connection.dialect.name == "postgresql" and ids:
        connection.execute(sa.select(key).where(key.in_(sorted(ids))).order_by(key).with_for_update())


def put(connection: sa.Connection, table: sa.Table, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Write one row, whether or not it exists. An update that finds no row may be overtaken by another's insert."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = insert(table).values({**key, **values})
    connection.execute(row.on_conflict_do_update(index_elements=list(key), set_=dict(values)))


def lock_migrations(connection: sa.Connection) -> None:
    """Wait until no other process migrates the store. SQLite's transaction has locked it already."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MIGRATIONS)))


def marker(connection: sa.Connection) -> str:
    """A text that differs from an earlier one of the same connection if another one has written since."""
    if connection.dialect.name == "postgresql":
        # Two transactions with the same snapshot read the same.
        return str(connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one())
    return str(connection.exec_driver_sql("PRAGMA data_version").scalar_one())


def broken_references(connection: sa.Connection) -> int:
    """How many rows refer to others that do not exist. PostgreSQL never lets that happen."""
    if connection.dialect.name == "postgresql":
        return 0
    return len(connection.exec_driver_sql("PRAGMA foreign_key_check").all())


def checkpoint(engine: sa.Engine) -> None:
    """Write SQLite's log into its file and truncate it. PostgreSQL does so on its own."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def continue_numbering(before: sa.Connection, after: sa.Connection, table: sa.Table) -> None:
    """Number rows from where the copied table stood: messages contain ids, so none is reused."""
    if "id" not in table.c:
        return
    if before.dialect.name == "postgresql":
        query = sa.text(f"SELECT last_value FROM {table.name}_id_seq WHERE is_called")  # noqa: S608 (our own name)
        last = before.execute(query).scalar()
    else:
        query = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        last = before.execute(query, {"table": table.name}).scalar()
    last = max(last or 0, after.execute(sa.select(sa.func.max(table.c.id))).scalar() or 0)
    if not last:
        return
    if after.dialect.name == "postgresql":
        after.execute(sa.select(sa.func.setval(f"{table.name}_id_seq", last)))
        return
    values = {"table": table.name, "last": last}
    after.execute(sa.text("DELETE FROM sqlite_sequence WHERE name = :table"), values)
    after.execute(sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)"), values)


def passes(error: sa.exc.DBAPIError) -> bool:
    """Whether the transaction failed only because another one was in its way."""
    return getattr(error.orig, "sqlstate", None) in _PASSING


def reason_of(error: BaseException | None) -> str:
    """The driver's words in one line, without the hints that follow them."""
    with suppress(AttributeError):
        if primary := error.diag.message_primary:  # type: ignore[union-attr]
            return str(primary)
    return " ".join(str(error).split())
