"""One target: its Apprise plugin, and the daemon thread that sends through it."""

import asyncio
import queue
import threading
from concurrent.futures import Future

from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify.apprise_send import send
from gemwatch.adapters.notify.formats import Shape, shape_of
from gemwatch.adapters.notify.redaction import Redaction
from gemwatch.adapters.notify.urls import load
from gemwatch.core.events import Target
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.secrets import Secrets
from gemwatch.core.text.rendering import Rendered
from gemwatch.core.work import AttemptFailure, NotSent, Outcome

MOST_HANGING = 4  # abandoned threads of one target, which may never end


class Sender:
    """Sends messages one by one, no faster than the service allows. Used from one event loop."""

    def __init__(self, target: Target, secrets: Secrets) -> None:
        """Raises ValueError, which names the target, if the URL cannot be used."""
        secrets.add_url(target.url)
        self.target = target
        self.users = 0  # how many `Targets` use it
        self._redaction = Redaction(target.url, secrets)
        self._turn = asyncio.Lock()
        self._free_at = 0.0  # on the loop's clock
        self._hanging: list[_SenderThread] = []
        plugin, self.shape = self._plugin()
        self._pause = float(plugin.request_rate_per_sec)
        self._thread: _SenderThread | None = _SenderThread(plugin, self.shape, target.name, self._redaction)

    async def send(self, message: Rendered, ids: MessageIds, limit: float) -> Outcome:
        async with self._turn:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(self._free_at - loop.time())
            if not self.users:
                return NotSent(reason="the target was removed from the configuration", failure=AttemptFailure.REMOVED)
            self._hanging = [thread for thread in self._hanging if thread.alive]
            if len(self._hanging) >= MOST_HANGING:
                return NotSent(reason=f"{len(self._hanging)} earlier messages still wait for an answer")
            try:
                return await self._within(limit, message, ids)
            finally:
                self._free_at = loop.time() + self._pause

    def close(self) -> None:
        """Ask the thread to end, without waiting: it may hang."""
        if self._thread:
            self._thread.end()

    async def _within(self, limit: float, message: Rendered, ids: MessageIds) -> Outcome:
        if self._thread is None:
            plugin, shape = self._plugin()
            self._thread = _SenderThread(plugin, shape, self.target.name, self._redaction)
        thread = self._thread
        answer = asyncio.wrap_future(thread.start(message, ids))
        try:
            await asyncio.wait([answer], timeout=limit)
            if answer.done():
                return answer.result()
            return NotSent(reason=f"no answer within {limit:g} s; it may have arrived", unknown=True)
        finally:
            if answer.cancel():  # too late, or this task is cancelled: abandon the thread
                thread.end()
                self._hanging.append(thread)
                self._thread = None

    def _plugin(self) -> tuple[NotifyBase, Shape]:
        try:
            plugin = load(self.target.url)
            return plugin, shape_of(plugin, self.target.format)
        except ValueError as error:
            raise ValueError(f"target {self.target.name}: {error}") from None


class _SenderThread:
    """A plugin and the only thread that uses it. The thread starts with the first message."""

    def __init__(self, plugin: NotifyBase, shape: Shape, name: str, redaction: Redaction) -> None:
        # Apprise limits the rate by the local time, so a clock that is set back could delay a message for an hour.
        # `Sender` limits the rate instead.
        plugin.request_rate_per_sec = 0
        self._plugin, self._shape = plugin, shape
        self._redaction = redaction
        self._work: queue.SimpleQueue[tuple[Rendered, MessageIds, Future[Outcome]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"target {name}", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self, message: Rendered, ids: MessageIds) -> Future[Outcome]:
        outcome: Future[Outcome] = Future()
        outcome.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        self._work.put((message, ids, outcome))
        if self._thread.ident is None:
            self._thread.start()
        return outcome

    def end(self) -> None:
        """Let the thread end after it has sent its messages."""
        self._work.put(None)

    def _run(self) -> None:
        while given := self._work.get():
            message, ids, outcome = given
            outcome.set_result(send(self._plugin, self._shape, message, ids, self._redaction))
