"""The places that messages go to, by name: for each one Apprise object and one daemon thread.

Apprise's plugins block, so they need threads. Its own pool is shared by all of them, so that a few that hang
stop all others, and is joined at exit, so that one that hangs holds up the end of the program.

Importing this imports Apprise, which takes a third of a second: commands that neither send nor check do not.
"""

from collections.abc import Iterable, Mapping

from gemwatch.adapters.notify.sender import Sender
from gemwatch.adapters.notify.urls import url_advice, url_problem
from gemwatch.core.events import Target
from gemwatch.core.secrets import Secrets
from gemwatch.core.text.message import Message
from gemwatch.core.work import NotSent, Outcome

__all__ = ["SEND_LIMIT", "Targets", "url_advice", "url_problem"]

SEND_LIMIT = 60.0  # seconds


class Targets:
    """What the configuration lists under `notify`, ready to send to."""

    def __init__(
        self, targets: Iterable[Target], secrets: Secrets, present: Mapping[str, Sender] | None = None
    ) -> None:
        """Raises ValueError, naming the target, where a URL cannot be used. `present` is for `replaced`."""
        self._secrets = secrets
        self._closed = False
        self._channels: dict[str, Sender] = {}
        for target in targets:
            old = (present or {}).get(target.name)
            same = old is not None and old.target.url == target.url
            self._channels[target.name] = old if old and same else Sender(target, secrets)
        for sender in self._channels.values():
            sender.users += 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._channels)

    def body_limit(self, name: str) -> int:
        """The most characters of body that the service takes beside a title. KeyError for an unknown name."""
        return self._channels[name].body_limit

    async def send(self, name: str, message: Message, *, limit: float = SEND_LIMIT) -> Outcome:
        """One attempt of at most `limit` seconds. After that nobody can tell whether the message arrived."""
        sender = self._channels.get(name)
        if sender is None:
            return NotSent(reason="the configuration has no target of this name")
        return await sender.send(message, limit)

    def replaced(self, targets: Iterable[Target]) -> "Targets":
        """The targets of a new configuration; those with the same name and URL go on with the thread they have.

        Raises ValueError before anything that runs is touched. Afterwards close the one that is not used.
        """
        return Targets(targets, self._secrets, self._channels)

    def close(self) -> None:
        """End every thread that no other `Targets` goes on with. Waits for none: one may hang.

        Whoever still holds this can go on asking: a target that has ended answers that it is gone.
        """
        if self._closed:
            return
        self._closed = True
        for sender in self._channels.values():
            sender.users -= 1
            if not sender.users:
                sender.close()
