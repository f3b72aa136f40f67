"""Who receives what, as the leader has written it, so that all replicas decide the same. Used within a transaction.

Their names and events only: a URL is a secret, and each replica has its own from its configuration.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from gemwatch.adapters.store.notes import read_note, write_notes
from gemwatch.core.events import Target
from gemwatch.core.kinds import EventKind

_NOTE = "audience"
_KINDS = {kind.value: kind for kind in EventKind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """The targets, and the groups whose successes are held back: core/lists/groups.py."""

    targets: tuple[Target, ...] = ()
    quiet: frozenset[str] = frozenset()


def write_audience(connection: sa.Connection, audience: Audience) -> None:
    targets = [[one.name, sorted(one.on)] for one in audience.targets]
    write_notes(connection, {_NOTE: {"targets": targets, "quiet": sorted(audience.quiet)}})


def read_audience(connection: sa.Connection) -> Audience | None:
    """None: no leader has written it yet."""
    note = read_note(connection, _NOTE)
    if note is None:
        return None
    return Audience(
        targets=tuple(Target(name=name, url="", on=_kinds(on)) for name, on in note["targets"]),
        quiet=frozenset(note["quiet"]),
    )


def _kinds(words: Sequence[str]) -> frozenset[EventKind]:
    """Without those of a newer version."""
    known: Iterable[EventKind] = (_KINDS[word] for word in words if word in _KINDS)
    return frozenset(known)
