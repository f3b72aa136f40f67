"""Who gets a connection when there are too many: over real sockets."""

import asyncio
import contextlib
import os
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest

from gemwatch.core.settings import WebSettings
from gemwatch.web.http.connections import Caps
from support.waiting import until
from support.web import Site, store_in

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
PAGE = b"GET /readyz/none HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(store_in(tmp_path))
    yield site
    site.views.close()


async def ask(port: int, text: bytes, source: str = "127.0.0.1") -> bytes:
    """All of the answer. The request arrives some time after the connection, as over a network."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
    writer.write(text)
    answer = await reader.read()
    writer.close()
    return answer


@contextlib.asynccontextmanager
async def silent(port: int, count: int, source: str = "127.0.0.1") -> AsyncIterator[list[asyncio.StreamReader]]:
    """Clients that say nothing."""
    async with contextlib.AsyncExitStack() as stack:
        readers = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
            stack.callback(writer.close)
            readers.append(reader)
        yield readers


@pytest.mark.parametrize("count", [300, 1100])
async def test_idle_connections_leave_room_for_healthz(site: Site, count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * count + 500
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("this process may not open enough files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    async with site.served() as port, silent(port, count):
        for _ in range(10):
            assert (await ask(port, HEALTH)).startswith(b"HTTP/1.1 200")
        assert b"HTTP/1.1 404" in await ask(port, PAGE)


async def test_oldest_idle_connection_is_cut_when_full(site: Site) -> None:
    async with site.served(caps=Caps(total=3, per_address=3)) as port, silent(port, 3) as readers:
        assert (await ask(port, HEALTH)).startswith(b"HTTP/1.1 200")
        with contextlib.suppress(ConnectionError):
            assert await readers[0].read() == b""
        assert not readers[2].at_eof()


async def test_one_address_cannot_take_every_connection(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(site.served(caps=Caps(total=10, per_address=3)))
        others = await stack.enter_async_context(silent(port, 1, "127.0.0.2"))
        readers = await stack.enter_async_context(silent(port, 9))
        await until(lambda: sum(gone(reader) for reader in readers) == 6, "the cuts")
        assert not gone(others[0])


async def test_connections_of_a_proxy_count_in_total_only(tmp_path: Path) -> None:
    site = Site(store_in(tmp_path), WebSettings(proxies=(ip_network("127.0.0.1/32"),)))
    async with site.served(caps=Caps(total=10, per_address=3)) as port, silent(port, 8) as readers:
        assert (await ask(port, HEALTH)).startswith(b"HTTP/1.1 200")
        assert not any(gone(reader) for reader in readers)
    site.views.close()


def gone(reader: asyncio.StreamReader) -> bool:
    return reader.at_eof() or reader.exception() is not None


async def test_reserve_serves_only_health_while_all_are_busy(site: Site) -> None:
    busy = asyncio.Event()
    site.program.gate = busy
    async with site.served(caps=Caps(total=2, per_address=2, reserve=2)) as port:
        scrapes = [asyncio.create_task(ask(port, metrics(n))) for n in range(2)]
        await until(lambda: site.program.waiting, "the scrapes")
        await until(lambda: len(site.web_server.connections) == 2, "both connections")
        assert (await ask(port, HEALTH)).startswith(b"HTTP/1.1 200")
        assert (await ask(port, PAGE)).startswith(b"HTTP/1.1 503")
        busy.set()
        assert all(answer.startswith(b"HTTP/1.1 200") for answer in await asyncio.gather(*scrapes))
        assert (await ask(port, PAGE)).startswith(b"HTTP/1.1 404")


def metrics(number: int) -> bytes:
    return b"GET /metrics?%d HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % number


async def test_client_that_does_not_read_makes_room(site: Site) -> None:
    site.program.text = b"#" * 50_000_000
    loop = asyncio.get_running_loop()
    with socket.socket() as deaf:
        deaf.setblocking(False)
        async with site.served(caps=Caps(total=1, per_address=1, reserve=0)) as port:
            await loop.sock_connect(deaf, ("127.0.0.1", port))
            await loop.sock_sendall(deaf, metrics(1))
            await until(lambda: site.program.scrapes, "the scrape")
            async with asyncio.timeout(30):
                while True:
                    with contextlib.suppress(ConnectionError):
                        if (await ask(port, HEALTH)).startswith(b"HTTP/1.1 200"):
                            break


async def test_failed_accepts_are_reported_once(site: Site) -> None:
    """No file is left: the server waits, reports once, and serves when there are files again."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with site.served() as port, contextlib.AsyncExitStack() as stack:
        client = stack.enter_context(socket.socket())
        client.setblocking(False)
        resource.setrlimit(resource.RLIMIT_NOFILE, (use_up_files(stack) + 1, hard))
        try:
            await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", port))
            await until(lambda: site.accept_errors, "the report")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        async with httpx.AsyncClient(trust_env=False) as web:
            assert (await web.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    assert site.accept_errors == ["Too many open files"]


def use_up_files(stack: contextlib.ExitStack | contextlib.AsyncExitStack) -> int:
    """Fill the gaps among this process's open files; the highest number in use."""
    highest = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
    while (file := os.open("/dev/null", os.O_RDONLY)) <= highest:
        stack.callback(os.close, file)
    stack.callback(os.close, file)
    return file
