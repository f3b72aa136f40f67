"""The ids by which mail programs recognize messages and threads."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import assert_never

from gemwatch.core.events import Event
from gemwatch.core.kinds import GroupDoneFacts
from gemwatch.core.traits import Scope
from gemwatch.core.work import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageIds:
    """`message` is the same for every attempt of a delivery. Messages with the same `thread` belong together.

    Both consist of letters, digits, dots and hyphens.
    """

    message: str
    thread: str


def message_ids(target: str, deliveries: Sequence[Delivery], instance: str) -> MessageIds:
    """The ids of the message that carries these deliveries. `instance`: the name of this gemwatch.

    A new store counts its events from 1 again, and mail programs hide a second mail with a known id. So the id
    includes the time of the event.
    """
    parts = [f"{one.id} {one.event_id} {one.event.at.isoformat()}" for one in deliveries]
    first = deliveries[0]
    name = f"gw-{first.event_id}" if len(deliveries) == 1 else "summary"
    thread = _thread(first.event) if len(deliveries) == 1 else "summaries"
    return MessageIds(
        message=f"{name}.{_digest(instance, target, *parts)}", thread=f"{thread}.{_digest(instance)[:8]}"
    )


def direct_ids(target: str, event: Event, instance: str) -> MessageIds:
    """The ids of a message about an event that is not in the store."""
    return MessageIds(
        message=f"direct.{_digest(instance, target, event.kind.value, event.at.isoformat())}",
        thread=f"{_thread(event)}.{_digest(instance)[:8]}",
    )


def _thread(event: Event) -> str:
    match event.kind.traits.scope:
        case Scope.JOB:
            return f"job-{event.job_id}"
        case Scope.GROUP:
            group = event.facts.group if isinstance(event.facts, GroupDoneFacts) else ""
            return f"group-{_digest(group)}"
        case Scope.SERVICE:
            return f"service-{_digest(event.kind.value)[:8]}"  # a newer version's kind may be any text
    assert_never(event.kind.traits.scope)


def _digest(*parts: str) -> str:
    return sha256("\n".join(parts).encode()).hexdigest()[:20]
