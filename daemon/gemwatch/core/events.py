"""An event, and which targets receive it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gemwatch.core.facts import Facts, TargetFacts
from gemwatch.core.kinds import DEFAULT_EVENTS, EventKind, Kind, Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something worth reporting, with its facts frozen at that moment, so that a late message is still right.

    `name` is what the job was called then. It is added when the event is recorded.
    """

    at: datetime
    facts: Facts
    job_id: int | None = None
    name: str | None = None

    @property
    def kind(self) -> Kind:
        return self.facts.kind


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
    Events about the service are never narrowed, nor is an event about a job whose kind is `login`. A target does
    not receive events about itself.
    """
    chosen = None if narrowed is None or event.kind.traits.scope is not Scope.JOB else frozenset(narrowed)
    about = event.facts.target if isinstance(event.facts, TargetFacts) else None
    return tuple(
        one.name
        for one in targets
        if one.accepts(event.kind) and one.name != about and (chosen is None or one.name in chosen)
    )
