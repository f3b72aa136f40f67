"""A GEM API and a message sink in one small server. Unlike nginx, it records its answers and their times.

One thread records answers and messages with the same clock, so that the time between them is exact.
"""

import asyncio
import json
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.nginx import JOB

_LENGTH = re.compile(rb"content-length: *([0-9]+)", re.IGNORECASE)
_STATISTICS = (
    '"statistics": {"confidence_threshold": 60, "execution_time_sec": 9751, "kms_processed": 80208.39, '
    '"num_roads_processed": 397613, "roads_matched_ratio": 0.8468, "roads_fully_matched_ratio": 0.675, '
    '"roads_partially_matched_ratio": 0.1718, "roads_unmatched_ratio": 0.1531}'
)


@dataclass(frozen=True, slots=True)
class Message:
    at: float
    text: str


@dataclass(slots=True)
class World:
    """The state of the jobs and the received messages. Times are `time.monotonic()`.

    `ends_next`: how many of the next requested jobs end; `ended`: the jobs that have ended. The sink answers a
    message after `takes` seconds.
    """

    takes: float = 0.0
    port: int = 0
    ends_next: int = 0
    ended: set[int] = field(default_factory=set)
    ended_at: dict[int, float] = field(default_factory=dict)  # by job: when the answer with its end was sent
    polls: dict[int, list[float]] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sink(self) -> str:
        return f"json://127.0.0.1:{self.port}/sink"

    def answer(self, job: int) -> bytes:
        if self.ends_next and job not in self.ended:
            self.ends_next -= 1
            self.ended.add(job)
        if job not in self.ended:
            return JOB.format(id=job, status="IN_PROGRESS").encode()
        text = JOB.format(id=job, status="SUCCESS").replace('"statistics": null', _STATISTICS)
        return text.replace('"result_filename": null', f'"result_filename": "roads_{job}.results.parquet"').encode()

    def answered(self, job: int) -> None:
        now = time.monotonic()
        self.polls.setdefault(job, []).append(now)
        if job in self.ended:
            self.ended_at.setdefault(job, now)


class _Connection(asyncio.Protocol):
    def __init__(self, world: World) -> None:
        self._world, self._unread = world, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while b"\r\n\r\n" in self._unread:
            head, _, rest = self._unread.partition(b"\r\n\r\n")
            length = int(found[1]) if (found := _LENGTH.search(head)) else 0
            if len(rest) < length:
                return
            self._unread = rest[length:]
            method, path, _ = head.split(b" ", 2)
            if method == b"POST":
                self._message(rest[:length])
            else:
                self._answer(path.rpartition(b"/")[2])

    def _answer(self, name: bytes) -> None:
        if not name.isdigit():  # a list, which a new store reads once
            self._write(b'{"jobs": []}')
            return
        self._write(self._world.answer(int(name)))
        self._world.answered(int(name))

    def _message(self, body: bytes) -> None:
        sent = json.loads(body)
        self._world.messages.append(Message(time.monotonic(), f"{sent['title']}\n{sent['message']}"))
        asyncio.get_running_loop().call_later(self._world.takes, self._write, b"{}")

    def _write(self, body: bytes) -> None:
        if self._transport is not None:
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


@contextmanager
def answering(world: World) -> Iterator[World]:
    """Runs the server in its own thread during a `with`."""
    loop, listens = asyncio.new_event_loop(), threading.Event()

    async def serve() -> None:
        server = await loop.create_server(lambda: _Connection(world), "127.0.0.1", 0, backlog=1024)
        world.port = server.sockets[0].getsockname()[1]
        listens.set()

    def run() -> None:
        if len(os.sched_getaffinity(0)) > 1:
            os.sched_setaffinity(0, {1})  # only this thread: the core that is not measured
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=run, name="answers", daemon=True)
    thread.start()
    listens.wait()
    try:
        yield world
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
