"""Many clients of the daemon's web server, in a process of their own.

python -m bench.clients scrapers 24 PORT    each reads /metrics again and again
python -m bench.clients silent 300 PORT     each holds a connection and sends nothing
python -m bench.clients viewers 200 PORT    each has the page open as a browser does; every second one reads nothing

A closed connection is opened again. Each address has ten clients. Prints how often it received which answer.
"""

import asyncio
import contextlib
import json
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine

_ALIKE = 10  # clients of one address
_REFRESH = 2.0  # seconds between two loads of a page, as the page's script does
_AGAIN = 1.0  # seconds until a closed connection is opened again
_SMALL = 4096  # bytes of the receive buffer of a client that reads nothing

Answers = Counter[str]
Client = Callable[[int, int, Answers], Coroutine[None, None, None]]


@contextlib.asynccontextmanager
async def _connection(
    number: int, port: int, buffer: int | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    sock = socket.socket()
    sock.setblocking(False)
    if buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.bind((f"127.0.1.{1 + number // _ALIKE}", 0))
    try:
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock)
    except OSError:
        sock.close()
        raise
    try:
        yield reader, writer
    finally:
        writer.close()


def _request(path: str, accept: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n".encode()


async def _get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, accept: str) -> str:
    """The status of an answer with a Content-Length, after reading all of it."""
    writer.write(_request(path, accept))
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next(line for line in head.lower().split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return head.split(" ", 2)[1]


async def _scrape(number: int, port: int, answers: Answers) -> None:
    async with _connection(number, port) as (reader, writer):
        while True:
            answers[await _get(reader, writer, "/metrics", "text/plain")] += 1


async def _hold(number: int, port: int, answers: Answers) -> None:
    async with _connection(number, port) as (reader, _):
        answers["connections"] += 1
        await reader.read()
        answers["cut"] += 1


async def _view(number: int, port: int, answers: Answers) -> None:
    if number % 2:
        await _stare(number, port, answers)
        return
    async with _connection(number, port) as (reader, writer):
        writer.write(_request("/events", "text/event-stream"))
        while line := await reader.readline():
            if b"changed" not in line:
                continue
            async with _connection(number, port) as page:
                start = time.monotonic()
                answers[await _get(*page, "/", "text/html")] += 1
                await asyncio.sleep(_REFRESH - (time.monotonic() - start))


async def _stare(number: int, port: int, answers: Answers) -> None:
    async with _connection(number, port, _SMALL) as (_, events), _connection(number, port, _SMALL) as (_, page):
        for sock in (events, page):
            sock.transport.pause_reading()  # type: ignore[attr-defined]
        events.write(_request("/events", "text/event-stream"))
        while not (events.is_closing() or page.is_closing()):
            page.write(_request("/", "text/html"))
            answers["not read"] += 1
            await page.drain()
            await asyncio.sleep(_REFRESH)


async def _forever(work: Client, number: int, port: int, answers: Answers) -> None:
    while True:
        with contextlib.suppress(OSError, EOFError, asyncio.IncompleteReadError, StopIteration):
            await work(number, port, answers)
        await asyncio.sleep(_AGAIN)


KINDS: dict[str, Client] = {"scrapers": _scrape, "silent": _hold, "viewers": _view}


async def _run(kind: str, count: int, port: int) -> None:
    answers: Answers = Counter()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    clients = [asyncio.create_task(_forever(KINDS[kind], n, port, answers)) for n in range(count)]
    await stop.wait()
    for client in clients:
        client.cancel()
    await asyncio.gather(*clients, return_exceptions=True)
    print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
