"""The targets, by name: for each one Apprise plugin and one daemon thread.

Apprise's plugins block, so they need threads. All plugins share Apprise's own pool, so a few hanging plugins would
stop all others, and Python joins that pool at exit, so a hanging plugin would delay the exit.

This module imports Apprise, which takes a third of a second. Commands that do not need it avoid the import.
"""

import uuid
from collections.abc import Iterable, Mapping

from gemwatch.adapters.notify.formats import Shape
from gemwatch.adapters.notify.sender import Sender
from gemwatch.adapters.notify.urls import url_advice, url_problem
from gemwatch.core.events import Target
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.secrets import Secrets
from gemwatch.core.text.message import Message
from gemwatch.core.text.rendering import Rendered
from gemwatch.core.work import AttemptFailure, NotSent, Outcome

__all__ = ["SEND_LIMIT", "Targets", "url_advice", "url_problem"]

SEND_LIMIT = 60.0  # seconds


class Targets:
    """The targets of the configuration, ready to receive messages."""

    def __init__(
        self, targets: Iterable[Target], secrets: Secrets, present: Mapping[str, Sender] | None = None
    ) -> None:
        """Raises ValueError, which names the target, if a URL cannot be used. `present` is for `replaced`."""
        self._secrets = secrets
        self._closed = False
        self._senders: dict[str, Sender] = {}
        for target in targets:
            old = (present or {}).get(target.name)
            same = old is not None and (old.target.url, old.target.format) == (target.url, target.format)
            self._senders[target.name] = old if old and same else Sender(target, secrets)
        for sender in self._senders.values():
            sender.users += 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._senders)

    def room(self, name: str) -> Shape:
        """The format and the maximum length of the target's messages. KeyError for an unknown name."""
        return self._senders[name].shape

    def render(self, name: str, message: Message) -> Rendered:
        """The message in the form for this target. KeyError for an unknown name."""
        return self._senders[name].shape.render(message)

    async def send(
        self, name: str, message: Rendered, ids: MessageIds | None = None, *, limit: float = SEND_LIMIT
    ) -> Outcome:
        """Try once, for at most `limit` seconds. After a timeout it is unknown whether the message arrived.

        `ids` None: the message is sent only once and belongs to no mail thread.
        """
        sender = self._senders.get(name)
        if sender is None:
            return NotSent(reason="the configuration has no target of this name", failure=AttemptFailure.REMOVED)
        return await sender.send(message, ids or _own_ids(), limit)

    def replaced(self, targets: Iterable[Target]) -> "Targets":
        """The targets of a new configuration. Those with the same name, URL and format keep their thread.

        Raises ValueError before it changes anything. Afterwards close the `Targets` that is no longer used.
        """
        return Targets(targets, self._secrets, self._senders)

    def close(self) -> None:
        """End every thread that no other `Targets` uses. Does not wait for them: one may hang.

        Later calls are safe: `send` returns that the target was removed.
        """
        if self._closed:
            return
        self._closed = True
        for sender in self._senders.values():
            sender.users -= 1
            if not sender.users:
                sender.close()


def _own_ids() -> MessageIds:
    own = uuid.uuid4().hex
    return MessageIds(message=f"single.{own}", thread=f"single.{own}")
