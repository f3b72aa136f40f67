"""The HTTP server over real sockets."""

import asyncio
import selectors
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemwatch.web.http.connections import Caps
from gemwatch.web.http.server import WebError, bind
from support.waiting import until, wait_until
from support.web import Program, Site, store_in

QUICK = Caps(head=0.05, request=0.05)
ONCE = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.fixture
def shown(tmp_path: Path) -> Iterator[Site]:
    site = Site(store_in(tmp_path))
    yield site
    site.views.close()


@pytest.fixture
def program(shown: Site) -> Program:
    return shown.program


@pytest.fixture
async def port(shown: Site) -> AsyncIterator[int]:
    async with shown.served() as port:
        yield port


@pytest.fixture
async def client(port: int) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        yield client


async def talk(port: int, text: bytes) -> bytes:
    """Everything the server says to these bytes until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    answer = await reader.read()
    writer.close()
    return answer


async def test_healthz_follows_progress(program: Program, client: httpx.AsyncClient) -> None:
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    program.reason = "polls: no progress for 75 s"
    answer = await client.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "stalled", "reason": program.reason})


async def test_livez_shows_only_progress(program: Program, client: httpx.AsyncClient) -> None:
    assert (await client.get("/livez")).json() == {"status": "ok"}
    program.reason = "polls: no progress for 75 s"
    answer = await client.get("/livez", headers={"Host": "10.0.0.7:8042"})
    assert (answer.status_code, answer.json()) == (503, {"status": "stalled"})


async def test_readyz_names_what_is_missing(program: Program, client: httpx.AsyncClient) -> None:
    assert (await client.get("/readyz")).json() == {"status": "ready"}
    program.not_ready = "stopping"
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, {"status": "not ready", "reason": "stopping"})


async def test_metrics_are_prometheus_text(program: Program, client: httpx.AsyncClient) -> None:
    answer = await client.get("/metrics")
    assert answer.content == program.text
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_head_is_get_without_the_body(client: httpx.AsyncClient, path: str) -> None:
    head, get = await client.head(path), await client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("path", ["/nothing", "/healthz/", "/docs", "/..%2f..%2fetc/passwd", "/healthz%00"])
async def test_unknown_paths_are_a_json_404(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()) == (404, {"error": "Not Found"})


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
async def test_other_methods_are_a_json_405(client: httpx.AsyncClient, method: str) -> None:
    answer = await client.request(method, "/healthz", content=b"body")
    assert (answer.status_code, answer.json()) == (405, {"error": "Method Not Allowed"})
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(("path", "status"), [("/healthz", 200), ("/nothing", 404), ("/metrics", 500)])
async def test_every_answer_has_the_strict_headers(
    program: Program, client: httpx.AsyncClient, path: str, status: int
) -> None:
    program.text = b""
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert "server" not in answer.headers


async def test_error_hides_its_cause_and_serving_continues(program: Program, client: httpx.AsyncClient) -> None:
    program.text = b""
    answer = await client.get("/metrics")
    assert (answer.status_code, answer.json()) == (500, {"error": "Internal Server Error"})
    assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "request_text",
    [
        b"nonsense\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",  # no Host
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 40 + b"\r\n\r\n",  # TLS
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20_000,
    ],
)
async def test_requests_that_are_not_http_are_refused(port: int, request_text: bytes) -> None:
    answer = await talk(port, request_text)
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_slow_client_does_not_delay_others(port: int, client: httpx.AsyncClient) -> None:
    _, slow = await asyncio.open_connection("127.0.0.1", port)
    slow.write(b"GET /healthz HT")
    await slow.drain()
    assert (await client.get("/healthz")).status_code == 200
    slow.close()


@pytest.mark.parametrize(
    "begun", [b"", b"GET /healthz HT", b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"]
)
async def test_client_that_never_finishes_is_disconnected(shown: Site, begun: bytes) -> None:
    async with shown.served(caps=QUICK) as port:
        answer = await talk(port, begun)
    assert b" 200 " not in answer


async def test_client_that_never_reads_does_not_delay_a_stop(shown: Site, program: Program) -> None:
    program.text = b"#" * 50_000_000
    with socket.socket() as deaf:
        deaf.setblocking(False)
        async with shown.served(caps=QUICK) as port:
            await asyncio.get_running_loop().sock_connect(deaf, ("127.0.0.1", port))
            await asyncio.get_running_loop().sock_sendall(deaf, b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: program.scrapes, "the scrape")


async def test_port_is_free_after_a_stop(shown: Site) -> None:
    async with shown.served() as port:
        pass
    with bind("127.0.0.1", port) as sock:
        assert sock.getsockname()[1] == port


async def test_port_is_free_after_a_cancellation(shown: Site) -> None:
    sock = bind("127.0.0.1", 0)
    port = sock.getsockname()[1]
    task = asyncio.create_task(shown.server(sock).serve())
    await talk(port, ONCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with bind("127.0.0.1", port):
        pass


async def test_server_stopped_before_its_start_returns(shown: Site) -> None:
    sock = bind("127.0.0.1", 0)
    web = shown.server(sock)
    web.stop()
    await web.serve()
    assert sock.fileno() == -1  # closed


async def test_signal_handlers_are_not_replaced(shown: Site) -> None:
    def handlers() -> list[object]:
        return [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]

    before = handlers()
    async with shown.served() as port:
        await talk(port, ONCE)
        assert handlers() == before


class Watched(selectors.DefaultSelector):
    """Shows whether the event loop sleeps without a timer."""

    resting = False

    def select(self, timeout: float | None = None) -> Any:
        self.resting = timeout is None
        try:
            return super().select(timeout)
        finally:
            self.resting = False


@pytest.mark.parametrize("used", [False, True])
def test_server_without_connections_has_no_timer(shown: Site, used: bool) -> None:  # noqa: FBT001 (a table's column)
    selector, sock = Watched(), bind("127.0.0.1", 0)
    loop = asyncio.SelectorEventLoop(selector)
    web = shown.server(sock)
    serving = threading.Thread(target=lambda: loop.run_until_complete(web.serve()))
    serving.start()
    try:
        if used:
            assert httpx.get(f"http://127.0.0.1:{sock.getsockname()[1]}/healthz", trust_env=False).is_success
        wait_until(lambda: selector.resting and not len(web.connections), "the rest")
        assert not shown.accept_errors
    finally:
        loop.call_soon_threadsafe(web.stop)
        serving.join()
        loop.close()


async def test_date_of_answers_moves_while_idle(shown: Site, client: httpx.AsyncClient) -> None:
    """The time of day of an answer is that of its connection, however long the server slept before."""
    first = (await client.get("/healthz", headers={"Connection": "close"})).headers["Date"]
    await until(lambda: formatdate(usegmt=True) != first, "the next second")
    await until(lambda: not len(shown.web_server.connections), "the end of the connection")
    assert (await client.get("/healthz")).headers["Date"] != first


@pytest.fixture
def taken() -> Iterator[int]:
    with bind("127.0.0.1", 0) as sock:
        yield sock.getsockname()[1]


def test_port_in_use_is_an_error_with_a_remedy(taken: int) -> None:
    with pytest.raises(WebError, match=rf"^web: 127\.0\.0\.1:{taken} is in use by another program\. Set web\.listen"):
        bind("127.0.0.1", taken)


def test_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(WebError, match=r"^web: 192\.0\.2\.1:8042 is not an address of this machine"):
        bind("192.0.2.1", 8042)


@pytest.mark.parametrize("host", ["::1", "::"])
async def test_ipv6_is_served(shown: Site, host: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    async with shown.served(host) as port, httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://[::1]:{port}/healthz")).status_code == 200
        if host == "::":
            assert (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
