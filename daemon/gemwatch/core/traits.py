"""What depends on the kind of an event alone."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any


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
    `on` names them. `limit`: a sentence about the limit that the job passed.
    """

    scope: Scope
    outcome: str
    label: str
    tone: Tone
    listed: bool = True
    limit: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """What a field of an event's facts holds in a sample: a value, or a time so long `ago`."""

    value: Any = None
    ago: timedelta | None = field(default=None, kw_only=True)
