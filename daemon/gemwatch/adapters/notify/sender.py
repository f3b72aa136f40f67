"""One target: its Apprise plugin, and the daemon thread that sends through it."""

import asyncio
import queue
import threading
from concurrent.futures import Future

from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify.apprise_send import send
from gemwatch.adapters.notify.urls import body_limit, load
from gemwatch.core.events import Target
from gemwatch.core.secrets import Secrets
from gemwatch.core.text.message import Message
from gemwatch.core.work import NotSent, Outcome

MOST_HANGING = 4  # threads of one target that are waited for no more, and may never end


class Sender:
    """Sends one message after another, as fast as the service likes it. Used from one event loop."""

    def __init__(self, target: Target, secrets: Secrets) -> None:
        """Raises ValueError, naming the target, where the URL cannot be used."""
        secrets.add_url(target.url)
        self.target = target
        self.users = 0  # the `Targets` that hold it
        self._secrets = secrets
        self._turn = asyncio.Lock()
        self._free_at = 0.0  # by the loop's clock
        self._hanging: list[_SenderThread] = []
        plugin = self._plugin()
        self.body_limit = body_limit(plugin)
        self._pause = float(plugin.request_rate_per_sec)
        self._lane: _SenderThread | None = _SenderThread(plugin, target.name, secrets)

    async def send(self, message: Message, limit: float) -> Outcome:
        async with self._turn:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(self._free_at - loop.time())
            if not self.users:
                return NotSent(reason="the target was taken out of the configuration")
            self._hanging = [sender_thread for sender_thread in self._hanging if sender_thread.alive]
            if len(self._hanging) >= MOST_HANGING:
                return NotSent(reason=f"{len(self._hanging)} earlier messages still wait for an answer")
            try:
                return await self._within(limit, message)
            finally:
                self._free_at = loop.time() + self._pause

    def close(self) -> None:
        """Ask the thread to end, and wait for nothing: it may hang."""
        if self._lane:
            self._lane.end()

    async def _within(self, limit: float, message: Message) -> Outcome:
        sender_thread = self._lane = self._lane or _SenderThread(self._plugin(), self.target.name, self._secrets)
        answer = asyncio.wrap_future(sender_thread.start(message))
        try:
            await asyncio.wait([answer], timeout=limit)
            if answer.done():
                return answer.result()
            return NotSent(reason=f"no answer within {limit:g} s; it may have arrived", unknown=True)
        finally:
            if answer.cancel():  # too late, or our own task is cancelled: the thread is left to its fate
                sender_thread.end()
                self._hanging.append(sender_thread)
                self._lane = None

    def _plugin(self) -> NotifyBase:
        try:
            return load(self.target.url)
        except ValueError as error:
            raise ValueError(f"target {self.target.name}: {error}") from None


class _SenderThread:
    """A plugin and the one thread that may touch it. The thread starts with the first message."""

    def __init__(self, plugin: NotifyBase, name: str, secrets: Secrets) -> None:
        # Apprise paces by the local time of day, so a clock set back holds a message for an hour. The channel
        # paces instead.
        plugin.request_rate_per_sec = 0
        self._plugin = plugin
        self._secrets = secrets
        self._jobs: queue.SimpleQueue[tuple[Message, Future[Outcome]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=f"target {name}", daemon=True)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def start(self, message: Message) -> Future[Outcome]:
        job: Future[Outcome] = Future()
        job.set_running_or_notify_cancel()  # from here on it cannot be taken back
        self._jobs.put((message, job))
        if self._thread.ident is None:
            self._thread.start()
        return job

    def end(self) -> None:
        """The thread ends once it has done what it was given."""
        self._jobs.put(None)

    def _run(self) -> None:
        while given := self._jobs.get():
            message, job = given
            job.set_result(send(self._plugin, message, self._secrets))
