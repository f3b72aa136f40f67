"""The kinds of event in one table, what an event holds, and which targets receive it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Scope(StrEnum):
    """What an event is about."""

    JOB = "job"
    GROUP = "group"
    SERVICE = "service"


class Tone(StrEnum):
    """How a message feels; services that can show it give it a color."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Everything that depends on an event's kind alone.

    `outcome` opens the title of a message, `label` names the kind on pages. `tone` is that of a failure where the
    kind also reports recoveries, which are GOOD. `listed` is false for kinds that a target receives only if its
    `on` names them. `ends_job`: the job's run is over. `limit` says which limit the job passed.
    """

    scope: Scope
    outcome: str
    label: str
    tone: Tone
    listed: bool = True
    ends_job: bool = False
    limit: str | None = None


class EventKind(StrEnum):
    """What gemwatch reports. The values are the words that a target's `on` takes."""

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

    @property
    def traits(self) -> Traits:
        return KINDS[self]


# In the order of a summary: what somebody has to act on comes first.
KINDS: Mapping[EventKind, Traits] = {
    EventKind.LOGIN: Traits(scope=Scope.SERVICE, outcome="LOGIN", label="Login", tone=Tone.BAD),
    EventKind.API: Traits(scope=Scope.SERVICE, outcome="API", label="GEM API", tone=Tone.BAD),
    EventKind.CONFIG: Traits(scope=Scope.SERVICE, outcome="CONFIGURATION", label="Configuration", tone=Tone.BAD),
    EventKind.STORE: Traits(scope=Scope.SERVICE, outcome="STORE", label="Store", tone=Tone.BAD),
    EventKind.TARGET: Traits(scope=Scope.SERVICE, outcome="TARGET", label="Target", tone=Tone.BAD),
    EventKind.FAILED: Traits(scope=Scope.JOB, outcome="FAILED", label="Failed", tone=Tone.BAD, ends_job=True),
    EventKind.NEEDS_REVIEW: Traits(
        scope=Scope.JOB, outcome="SUCCESS, needs review", label="Needs review", tone=Tone.WARNING, ends_job=True
    ),
    EventKind.GROUP_DONE: Traits(scope=Scope.GROUP, outcome="GROUP DONE", label="Group done", tone=Tone.PLAIN),
    EventKind.UNKNOWN_STATUS: Traits(
        scope=Scope.JOB, outcome="UNKNOWN STATUS", label="Unknown status", tone=Tone.WARNING
    ),
    EventKind.FINISHED_TOO_FAST: Traits(
        scope=Scope.JOB,
        outcome="FINISHED TOO FAST",
        label="Finished too fast",
        tone=Tone.WARNING,
        limit="It finished sooner than a real run does",
    ),
    EventKind.RUNNING_TOO_LONG: Traits(
        scope=Scope.JOB,
        outcome="RUNNING TOO LONG",
        label="Running too long",
        tone=Tone.WARNING,
        limit="It has been running for longer than the limit",
    ),
    EventKind.QUEUED_TOO_LONG: Traits(
        scope=Scope.JOB,
        outcome="QUEUED TOO LONG",
        label="Queued too long",
        tone=Tone.WARNING,
        limit="It has been waiting for longer than the limit",
    ),
    EventKind.NOT_FOUND: Traits(scope=Scope.JOB, outcome="NOT FOUND", label="Not found", tone=Tone.WARNING),
    EventKind.SUCCESS: Traits(scope=Scope.JOB, outcome="SUCCESS", label="Succeeded", tone=Tone.GOOD, ends_job=True),
    EventKind.STARTED: Traits(scope=Scope.JOB, outcome="STARTED", label="Started", tone=Tone.PLAIN, listed=False),
}

IN_SUMMARY = tuple(KINDS)  # the order of a summary
DEFAULT_EVENTS = frozenset(kind for kind in EventKind if kind.traits.listed)  # also: none is missing in the table
JOB_EVENTS = frozenset(kind for kind in EventKind if kind.traits.scope is Scope.JOB)


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """A kind that a newer gemwatch has stored. It is shown by its own word, and nothing is assumed about it."""

    value: str

    @property
    def traits(self) -> Traits:
        word = self.value[:40].replace("-", " ")
        return Traits(scope=Scope.SERVICE, outcome=word.upper(), label=word.capitalize(), tone=Tone.PLAIN)


Kind = EventKind | UnknownKind


def kind_of(word: str) -> Kind:
    """The kind that a store or a page names. Never raises: a word of another version is a kind of its own."""
    try:
        return EventKind(word)
    except ValueError:
        return UnknownKind(word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something worth reporting, with the facts frozen at that moment, so that a late message is still right.

    Facts are JSON values. Events about a job have `name` (added when they are recorded), `status`, `before`,
    `first_sight`, `last_seen_before`, `running_since` and `document` (the details as the API sent them) where
    they apply; `estimate` is there when a job starts, `previous` (the previous run on the same input) and `reasons`
    when it succeeds, and `limit_seconds`, `since` and the like when a limit is passed. Events about the service
    have `over` (the problem has ended), `reason`, `since` and `remedy`.
    """

    kind: Kind
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

    def accepts(self, kind: Kind) -> bool:
        """Whether an event of this kind goes there. A success that needs review is still a success."""
        return kind in self.on or (kind is EventKind.NEEDS_REVIEW and EventKind.SUCCESS in self.on)


def audience(event: Event, targets: Iterable[Target], narrowed: Iterable[str] | None = None) -> tuple[str, ...]:
    """The names of the targets that receive an event.

    `narrowed` is the watch's own `notify`: it chooses among the targets that list the event's kind.
    Events about the service are never narrowed, nor is an event about a job whose kind is `login`.
    """
    chosen = None if narrowed is None or event.kind.traits.scope is not Scope.JOB else frozenset(narrowed)
    return tuple(t.name for t in targets if t.accepts(event.kind) and (chosen is None or t.name in chosen))
