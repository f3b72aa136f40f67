"""`gemwatch db`: a copy of the store, what is in it, and bringing it up to date."""

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli.access import become_owner
from gemwatch.cli.common import MISUSED, Config, Json, config_path, fail, print_json, refuse_without_access, store_of
from gemwatch.cli.help import Command
from gemwatch.cli.output.tables import local, zone
from gemwatch.core.text.formatting import counted, size
from gemwatch.core.text.sanitize import single_line

if TYPE_CHECKING:
    from gemwatch.adapters.store.info import StoreInfo

app = typer.Typer(no_args_is_help=True, help="Back up, inspect and upgrade the store.")

To = Annotated[Path, typer.Argument(metavar="FILE", help="Where the copy goes.", show_default=False)]
ToConfig = Annotated[
    Path,
    typer.Option(
        "--to-config",
        metavar="FILE",
        help="The configuration whose store.url names the other store.",
        show_default=False,
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite FILE if it exists.")]


@app.command("backup", cls=Command)
def backup(context: typer.Context, to: To, config: Config = None, *, force: Force = False) -> None:
    """Copy the store to a file.

    The daemon may run. The copy is checked before it gets its name. To restore it: stop the daemon, remove the
    store's -wal and -shm files, move the copy to the store's place, start the daemon.
    """
    from gemwatch.adapters.store import backup as copies
    from gemwatch.adapters.store.files import StoreError

    store = store_of(config_path(context, config))
    refuse_without_access(store)
    try:
        schema = copies.backup(store, to, overwrite=force)
    except copies.InTheWayError as error:
        fail(str(error), MISUSED)
    except StoreError as error:
        fail(str(error))
    typer.echo(f"{to}: {size(to.stat().st_size)}, schema {schema}, checked")


@app.command("info", cls=Command)
def info(context: typer.Context, config: Config = None, *, as_json: Json = False) -> None:
    """Show where the store is and what is in it.

    It also shows whether a daemon uses it.
    """
    from gemwatch.adapters.store.files import StoreError
    from gemwatch.adapters.store.info import info_of
    from gemwatch.adapters.store.reads.json_shapes import store_json

    store = store_of(config_path(context, config))
    refuse_without_access(store)
    try:
        found = info_of(store)
    except StoreError as error:
        fail(str(error))
    if as_json:
        print_json(store_json(found))
        return
    for name, words in _lines(found):
        typer.echo(f"{name + ':':<13} {words}")
    typer.echo(f"\n{zone()}")


@app.command("upgrade", cls=Command)
def upgrade(context: typer.Context, config: Config = None) -> None:
    """Upgrade the store's schema.

    `run` does the same at its start. The daemon must be stopped. As root, it acts as the user that owns the store's
    folder, so that the daemon can use the store.
    """
    from gemwatch.adapters.store import schema
    from gemwatch.adapters.store.database import WriterLock, open_to_read
    from gemwatch.adapters.store.databases.copying import is_empty
    from gemwatch.adapters.store.databases.leases import Exclusive
    from gemwatch.adapters.store.files import StoreError

    path = store_of(config_path(context, config))
    if isinstance(path, Path):
        _import_everything()
        become_owner(path)
    try:
        if isinstance(path, Path):
            lock: AbstractContextManager[object] = WriterLock(path)
        else:
            lock = nullcontext() if is_empty(path) else Exclusive(path)
        with lock:
            new = isinstance(path, Path) and not path.exists()
            before = None if new else schema.revision_of(open_to_read(path))
            copy = schema.upgrade(path)
    except StoreError as error:
        fail(str(error))
    if before == schema.REVISION:
        typer.echo(f"{path} has schema {before} already; nothing was done")
    elif before is None:
        typer.echo(f"{path} was created, with schema {schema.REVISION}")
    elif copy is None and before > schema.REVISION:
        typer.echo(f"{path} has schema {before} of a newer gemwatch, which this one can use; nothing was done")
    else:
        kept = f". The copy from before: {copy}" if copy else ""
        typer.echo(f"{path} was upgraded from schema {before} to {schema.REVISION}{kept}")


@app.command("copy", cls=Command)
def copy(context: typer.Context, to_config: ToConfig, config: Config = None) -> None:
    """Copy the store into that of another configuration.

    Between SQLite and PostgreSQL, in either direction, with the history, waiting deliveries and ids. The other store
    must be empty, and no daemon may use either.
    """
    from gemwatch.adapters.store.databases import copying
    from gemwatch.adapters.store.files import StoreError

    source, target = store_of(config_path(context, config)), store_of(to_config)
    refuse_without_access(source)
    if isinstance(target, Path):
        _import_everything()
        become_owner(target)
    try:
        copied = copying.copy(source, target)
    except StoreError as error:
        fail(str(error))
    jobs, moves, waiting = (copied[name] for name in ("watches", "transitions", "deliveries"))
    typer.echo(
        f"{target}: copied {counted(jobs, 'job', 'jobs')}, {counted(moves, 'transition', 'transitions')} and "
        f"{counted(waiting, 'delivery', 'deliveries')} from {source}"
    )


def _import_everything() -> None:
    """For root: the owner of the store may not be allowed to read the folders that Python imports from."""
    import tempfile

    from gemwatch.adapters.store import schema

    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory() as folder:
            schema.upgrade(Path(folder) / "empty.db")


def _lines(found: "StoreInfo") -> list[tuple[str, str]]:
    from gemwatch.core.text.replicas import named

    sqlite, writer, held = found.database == "sqlite", found.writer, found.contents
    wanted = "" if found.schema == found.schema_read else f"; this gemwatch reads {found.schema_read}"
    host = f" on {writer.host}" if writer is not None and writer.host else ""
    lines = [
        ("Store", found.place),
        ("Size", size(found.size) + (f", and {size(found.log_size)} of log" if sqlite else "")),
        ("Schema", f"{found.schema or 'none'}{wanted}"),
        ("SQLite" if sqlite else "PostgreSQL", found.database_version),
        ("Daemon", "none uses it" if writer is None else f"process {writer.pid or 'unknown'}{host}"),
    ]
    names = zip(named(found.replicas), found.replicas, strict=True)
    if followers := [name for name, one in names if not one.leader]:
        lines.append(("Followers", ", ".join(followers)))
    if held is None:
        return lines
    span = f" from {local(held.oldest)} to {local(held.newest)}" if held.oldest and held.newest else ""
    return [
        *lines,
        ("Jobs", f"{sum(held.jobs.values())}, {held.watched} watched{_split(held.jobs)}"),
        ("Transitions", f"{held.transitions}{span}"),
        ("Events", f"{sum(held.events.values())}{_split(held.events)}"),
        ("Deliveries", f"{sum(held.deliveries.values())}{_split(held.deliveries)}"),
    ]


def _split(counts: Mapping[str, int]) -> str:
    parts = ", ".join(f"{single_line(word)} {number}" for word, number in counts.items())
    return f" ({parts})" if parts else ""
