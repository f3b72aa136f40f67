"""Watch lists in the files of several replicas: which one counts, and whether they differ."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from gemwatch.core.events import Target
from gemwatch.core.settings import Settings
from gemwatch.core.sharing.replicas import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchListMark:
    """Which watch list is applied: a hash of it, and where it was read: host and path of the configuration."""

    digest: str
    place: str

    def as_json(self) -> dict[str, str]:
        return {"digest": self.digest, "place": self.place}

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> "WatchListMark | None":
        return None if not found else cls(digest=str(found.get("digest")), place=str(found.get("place")))


def digest_of(settings: Settings) -> str:
    """A hash of what the leader applies: watches, rules, groups, the default interval, and who receives what."""
    targets = [(one.name, sorted(one.on), one.fallback) for one in settings.targets]
    parts = (settings.watches, settings.discover, settings.groups, settings.poll.every, targets)
    return blake2b(repr(parts).encode(errors="surrogatepass"), digest_size=8).hexdigest()


def may_be_outdated(own: WatchListMark, applied: WatchListMark | None, *, edited: bool) -> bool:
    """Whether a new leader's watch list may be older than the applied one, so that it must not remove anything.

    It is not if it was `edited` while this replica led, nor if the applied one came from the same file: then that
    was edited since.
    """
    return not (edited or applied is None or applied.digest == own.digest or applied.place == own.place)


def differing(replicas: Iterable[Replica], applied: str | None) -> tuple[str, ...]:
    """The hosts of the replicas whose watch list is not the applied one."""
    return tuple(one.host for one in replicas if one.watch_list is not None and one.watch_list != applied)


def merged(own: Iterable[Target], applied: Iterable[Target]) -> tuple[Target, ...]:
    """The targets of both: those of a leader whose configuration may be outdated, where the applied one has none."""
    known = {one.name: one for one in applied}
    return (*known.values(), *(one for one in own if one.name not in known))
