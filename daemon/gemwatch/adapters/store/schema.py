"""Upgrades the store's schema to this version, after copying the file."""

import sqlite3
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.databases import postgresql, sqlite
from gemwatch.adapters.store.files import StoreError, make_private, prepare
from gemwatch.adapters.store.tables import service
from gemwatch.core.settings import Place, Postgresql

if TYPE_CHECKING:
    from alembic.config import Config

REVISION = "0010"  # the schema in tables.py; a test compares it with the newest migration
LEAST = "least_schema"  # the note about the oldest schema whose gemwatch can use this store


def revision_of(engine: sa.Engine) -> str | None:
    """The schema's revision; None for an empty store. Raises StoreError if the file is not a store."""
    try:
        with engine.connect() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    except sa.exc.DatabaseError as error:
        reason = dialects.reason_of(error.orig)
        raise StoreError(f"the store {dialects.name_of(engine)} cannot be read: {reason}") from None


def check(engine: sa.Engine) -> None:
    """Raise StoreError unless this version can use the schema."""
    found = revision_of(engine)
    if found != REVISION and not _only_adds(engine, found):
        raise StoreError(
            f"the store has schema {found or 'none'}, this gemwatch reads {REVISION}: "
            "start the daemon of this version once to upgrade the store"
        )


def _only_adds(engine: sa.Engine, found: str | None) -> bool:
    """Whether this schema is from a newer gemwatch and only adds to the one of this version."""
    if found is None or found <= REVISION:
        return False
    with engine.connect() as connection:
        least = connection.execute(sa.select(service.c.value).where(service.c.name == LEAST)).scalar()
    return isinstance(least, str) and least <= REVISION


def least_version() -> str:
    """The oldest schema whose gemwatch can use a store with all of these migrations."""
    from alembic.script import ScriptDirectory  # noqa: PLC0415 (as below)

    scripts = ScriptDirectory.from_config(alembic_config()).walk_revisions()
    return max(str(getattr(script.module, "min_version", script.revision)) for script in scripts)


def upgrade(place: Place) -> Path | None:
    """Run the missing migrations in one transaction. Returns the path of the copy, if one was made: of a file.

    Raises StoreError if the store is from a newer gemwatch, is not one, or cannot be written.
    """
    if isinstance(place, Postgresql):
        engine = postgresql.open_to_migrate(place)
    else:
        prepare(place)
        # Rebuilding a table drops it first, and foreign keys would then delete the rows that refer to it.
        engine = sqlite.open_to_write(place, foreign_keys=False)
    try:
        found = revision_of(engine)
        if found == REVISION or _only_adds(engine, found):
            if isinstance(place, Path):
                _check_sound(engine, place)
            return None
        return _migrate(engine, place, found)
    except sa.exc.DatabaseError as error:
        reason = dialects.reason_of(error.orig)
        raise StoreError(f"the store {place} cannot be brought up to date: {reason}") from None
    finally:
        engine.dispose()


def _check_sound(engine: sa.Engine, path: Path) -> None:
    """Check the file at the start: later, gemwatch would retry work on a damaged file forever."""
    try:
        with engine.connect() as connection:
            said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except sa.exc.DatabaseError as error:
        said = str(error.orig)
    if said != "ok":
        raise StoreError(
            f"the store {path} is damaged ({said}): restore a copy of it, or move it away to start with an "
            "empty one, which reports every job on the watch list that has ended once more"
        )


def _migrate(engine: sa.Engine, place: Place, found: str | None) -> Path | None:
    # Imported only when needed: Alembic takes 0.2 s to load.
    from alembic import command  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = alembic_config()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"the store {place} has schema {found}, which a newer gemwatch made: install that version or a newer "
            "one, or restore the copy that was made before its first start"
        )
    copy = copy_before(place, found) if found is not None and isinstance(place, Path) else None
    with engine.begin() as connection:
        if isinstance(place, Postgresql):
            postgresql.check_server(connection)
        dialects.lock_migrations(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(sa.delete(service).where(service.c.name == LEAST))
        connection.execute(sa.insert(service), {"name": LEAST, "value": least_version()})
        if broken := dialects.broken_references(connection):
            raise StoreError(f"the migration of {place} left {broken} broken references and was rolled back")
    return copy


def alembic_config() -> "Config":
    """Alembic's configuration with the migrations from the wheel or the checkout."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    return config


def _migrations() -> Path:
    package = Path(str(files("gemwatch")))
    for place in (package / "migrations", package.parents[1] / "migrations"):
        if (place / "env.py").is_file():
            return place
    raise StoreError(f"the migrations are missing from {package}: install gemwatch again")


def copy_before(path: Path, found: str) -> Path:
    """Make a consistent copy of the store next to it, named after its schema."""
    copy = path.with_name(f"{path.name}.schema-{found}.bak")
    unfinished = copy.with_suffix(".part")
    unfinished.unlink(missing_ok=True)
    make_private(unfinished)  # VACUUM accepts an empty file
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM INTO ?", (str(unfinished),))
    unfinished.replace(copy)
    return copy
