"""The kinds of event, in one table: everything that depends on the kind alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What an event is about."""

    JOB = "job"
    GROUP = "group"
    SERVICE = "service"


class Tone(StrEnum):
    """The tone of a message. Services with colors show it as one."""

    GOOD = "good"
    BAD = "bad"
    WARNING = "warning"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Everything that depends on an event's kind alone.

    `outcome` starts the title of a message, `label` is the kind's name on pages. If the kind also reports recoveries,
    `tone` is the one of failures; recoveries are GOOD. `listed` is false for kinds that a target receives only if its
    `on` names them. `ends_job`: the job's run is over. `limit`: a sentence about the limit that the job passed.
    """

    scope: Scope
    outcome: str
    label: str
    tone: Tone
    listed: bool = True
    ends_job: bool = False
    limit: str | None = None


class EventKind(StrEnum):
    """The kinds of event. The values are the words for a target's `on`."""

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


# In the order of a summary: what needs action comes first.
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
DEFAULT_EVENTS = frozenset(
    kind for kind in EventKind if kind.traits.listed
)  # fails if a kind is missing in the table
JOB_EVENTS = frozenset(kind for kind in EventKind if kind.traits.scope is Scope.JOB)


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """A kind from a newer gemwatch. It is shown with its own word and without assumptions."""

    value: str

    @property
    def traits(self) -> Traits:
        word = self.value[:40].replace("-", " ")
        return Traits(scope=Scope.SERVICE, outcome=word.upper(), label=word.capitalize(), tone=Tone.PLAIN)


Kind = EventKind | UnknownKind


def kind_of(word: str) -> Kind:
    """The kind for a word from a store or a page. Never raises: an unknown word becomes an `UnknownKind`."""
    try:
        return EventKind(word)
    except ValueError:
        return UnknownKind(word)
