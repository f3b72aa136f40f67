"""An event, and which targets receive it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gemwatch.core.kinds import DEFAULT_EVENTS, EventKind, Facts, Kind, TargetFacts
from gemwatch.core.traits import Scope

_NARROWED = (Scope.JOB, Scope.GROUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to report, with its facts at that moment, so that a late message is still correct.

    `name` is the job's name at that time. It is added when the event is recorded.
    """

    at: datetime
    facts: Facts
    job_id: int | None = None
    name: str | None = None

    @property
    def kind(self) -> Kind:
        return self.facts.kind


class TargetFormat(StrEnum):
    """The format of a target's messages. `auto`: the richest one that its service shows."""

    AUTO = "auto"
    TEXT = "text"
    MARKDOWN = "markdown"
    HTML = "html"


class Missed(StrEnum):
    """Which of the messages that went to the fallback a recovered target receives."""

    SUMMARY = "summary"
    EACH = "each"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A named Apprise URL, its events and the format of its messages. The URL is a secret.

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
        """Whether this target receives events of this kind. A success that needs review counts as a success."""
        return kind in self.on or (kind is EventKind.NEEDS_REVIEW and EventKind.SUCCESS in self.on)


def audience(event: Event, targets: Iterable[Target], narrowed: Iterable[str] | None = None) -> tuple[str, ...]:
    """The names of the targets that receive an event.

    `narrowed` is the `notify` of the watch, or of all watches of a group: it selects from the targets that list the
    event's kind. It does not apply to events about the service, nor to `login` events about a job. A target does not
    receive events about itself.
    """
    chosen = None if narrowed is None or event.kind.traits.scope not in _NARROWED else frozenset(narrowed)
    about = event.facts.target if isinstance(event.facts, TargetFacts) else None
    return tuple(
        one.name
        for one in targets
        if one.accepts(event.kind) and one.name != about and (chosen is None or one.name in chosen)
    )
