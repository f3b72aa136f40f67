"""The kinds of event, what an event holds, and who hears of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class EventKind(StrEnum):
    """What can be told. The words are the ones a target's `on` takes."""

    STARTED = "started"
    SUCCESS = "success"
    FAILED = "failed"
    NOT_FOUND = "not-found"
    NEEDS_REVIEW = "needs-review"
    QUEUED_TOO_LONG = "queued-too-long"
    RUNNING_TOO_LONG = "running-too-long"
    FINISHED_TOO_FAST = "finished-too-fast"
    UNKNOWN_STATUS = "unknown-status"
    GROUP_DONE = "group-done"
    LOGIN = "login"
    API = "api"
    CONFIG = "config"
    STORE = "store"
    TARGET = "target"


SERVICE_EVENTS = frozenset(
    {EventKind.LOGIN, EventKind.API, EventKind.CONFIG, EventKind.STORE, EventKind.TARGET},
)
GROUP_EVENTS = frozenset({EventKind.GROUP_DONE})
JOB_EVENTS = frozenset(EventKind) - SERVICE_EVENTS - GROUP_EVENTS
LIMIT_EVENTS = frozenset({EventKind.QUEUED_TOO_LONG, EventKind.RUNNING_TOO_LONG, EventKind.FINISHED_TOO_FAST})
DEFAULT_EVENTS = frozenset(EventKind) - {EventKind.STARTED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something worth telling, with the facts frozen at that moment so that a late message is still right.

    Facts are JSON values. Events about a job have `name` (added when they are recorded), `status`, `before`,
    `first_sight`, `last_seen_before`, `running_since` and `document` (the details as the API sent them) where
    they apply; `estimate` is there when a job starts, `previous` (the run before on the same input) and `reasons`
    when it succeeds, and `limit_seconds`, `since` and the like when a limit is passed. Events about the service
    have `over` (the trouble has ended), `reason`, `since` and `remedy`.
    """

    kind: EventKind
    at: datetime
    job_id: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class TargetFormat(StrEnum):
    """In which form a target receives messages. `auto`: the richest that its service shows."""

    AUTO = "auto"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


class Missed(StrEnum):
    """What a target receives, once it accepts messages again, of those that went to its fallback."""

    SUMMARY = "summary"
    EACH = "each"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A named Apprise URL, the events that go there and how they are written. The URL is a secret.

    `time_zone` is an IANA name. `fallback` names the target that receives what this one permanently refuses.
    """

    name: str
    url: str = field(repr=False)
    on: frozenset[EventKind] = DEFAULT_EVENTS
    format: TargetFormat = TargetFormat.AUTO
    time_zone: str = "UTC"
    fallback: str | None = None
    missed: Missed = Missed.SUMMARY

    def accepts(self, kind: EventKind) -> bool:
        """Whether an event of this kind goes there. A success that needs review is still a success."""
        return kind in self.on or (kind is EventKind.NEEDS_REVIEW and EventKind.SUCCESS in self.on)


def audience(event: Event, targets: Iterable[Target], narrowed: Iterable[str] | None = None) -> tuple[str, ...]:
    """The names of the targets that hear of an event.

    `narrowed` is the watch's own `notify`: it chooses among the targets that list the event's kind.
    Events about the service are never narrowed, nor is an event about a job whose kind is `login`.
    """
    chosen = None if narrowed is None or event.kind not in JOB_EVENTS else frozenset(narrowed)
    return tuple(t.name for t in targets if t.accepts(event.kind) and (chosen is None or t.name in chosen))
