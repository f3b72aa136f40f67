"""What a shell completes: ids, names and targets, from the configuration and the store. Never an error."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gemwatch.adapters.config.places import find
from gemwatch.cli.output.jobs import NOT_FOUND
from gemwatch.core.job import UNSEEN, Status, is_end
from gemwatch.core.kinds import EventKind
from gemwatch.core.work import DeliveryState

if TYPE_CHECKING:
    import sqlalchemy as sa

_MOST = 200
Completed = list[tuple[str, str]]
Read = Callable[[Path], Iterable[tuple[str, str]]]


def statuses(incomplete: str) -> list[str]:
    words = [*Status, NOT_FOUND, UNSEEN]
    return [word for word in words if word.casefold().startswith(incomplete.casefold())]


def kinds(incomplete: str) -> list[str]:
    return [kind for kind in EventKind if kind.startswith(incomplete.lower())]


def _completer(read: Read) -> Callable[[typer.Context, str], Completed]:
    """Completes the words that `read` finds, each with its help."""

    def complete(context: typer.Context, incomplete: str) -> Completed:
        try:
            found = list(read(_config(context)))
        except Exception:  # whatever is wrong is reported by the command itself: here it would be in the line
            return []
        return [(word, about) for word, about in found if word.startswith(incomplete)][:_MOST]

    return complete


def _config(context: typer.Context) -> Path:
    one: typer.Context | None = context
    while one is not None:
        if named := one.params.get("config"):
            return Path(named)
        one = one.parent  # type: ignore[assignment]  # typer's own context, of which this one is a kind
    return find(None, os.environ)


def _jobs(path: Path, *, unfinished: bool = False) -> Iterator[tuple[str, str]]:
    """Ids, each with the job's name and status."""
    for number, name, status in _rows(path):
        if not (unfinished and is_end(status)):
            yield number, " ".join(word for word in (name, status) if word)


def _rows(path: Path) -> list[tuple[str, str | None, str | None]]:
    import sqlalchemy as sa

    from gemwatch.adapters.store.tables import watches

    query = sa.select(watches.c.job_id, watches.c.name, watches.c.status).where(watches.c.watched)
    return [(str(row.job_id), row.name, row.status) for row in _read(path, query.order_by(watches.c.job_id))]


def _names(path: Path) -> Iterator[tuple[str, str]]:
    """Names of jobs, each with its id."""
    return ((name, number) for number, name, _ in _rows(path) if name)


def _groups(path: Path) -> Iterator[tuple[str, str]]:
    import sqlalchemy as sa

    from gemwatch.adapters.store.tables import groups

    return ((row.name, "") for row in _read(path, sa.select(groups.c.name).order_by(groups.c.name)))


def _deliveries(path: Path, *, failed: bool = False) -> Iterator[tuple[str, str]]:
    """The latest deliveries and their events, each with what it is."""
    import sqlalchemy as sa

    from gemwatch.adapters.store.tables import deliveries, events

    query = sa.select(deliveries.c.id, deliveries.c.event_id, deliveries.c.target, deliveries.c.state, events.c.kind)
    query = query.join(events, events.c.id == deliveries.c.event_id).order_by(deliveries.c.id.desc()).limit(_MOST)
    if failed:
        query = query.where(deliveries.c.state == DeliveryState.FAILED)
    rows = _read(path, query)
    for row in rows:
        yield str(row.id), f"{row.kind} to {row.target}, {row.state}"
    if not failed:
        yield from {f"gw-{row.event_id}": row.kind for row in rows}.items()


def _read(path: Path, query: "sa.Select[Any]") -> "Sequence[sa.Row[Any]]":
    from gemwatch.adapters.config.file import load_sections
    from gemwatch.adapters.store.database import open_to_read

    settings = load_sections(path, os.environ, ("store.url",)).settings
    if settings is None:
        return []
    with open_to_read(settings.store.place).begin() as connection:
        return connection.execute(query).all()


def _targets(path: Path) -> Iterator[tuple[str, str]]:
    from gemwatch.adapters.config.document import Reader

    main = Reader(path.parent, os.environ).document(path, ("watch",))
    notify = main.value.get("notify") if main is not None and isinstance(main.value, dict) else None
    for name, target in (notify if isinstance(notify, dict) else {}).items():
        on = target.get("on") if isinstance(target, dict) else None
        yield str(name), ", ".join(map(str, on)) if isinstance(on, list) else str(on or "")


job_ids = _completer(_jobs)
unfinished_job_ids = _completer(partial(_jobs, unfinished=True))
names = _completer(_names)
groups = _completer(_groups)
deliveries = _completer(_deliveries)
failed_deliveries = _completer(partial(_deliveries, failed=True))
targets = _completer(_targets)
