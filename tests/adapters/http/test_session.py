"""Broken, stalled, kept and replaced connections, TLS and proxies, all on loopback."""

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import trustme
from requests.utils import should_bypass_proxies

from gemwatch.adapters.gem.client import GemApi
from gemwatch.adapters.http.session import proxy_for
from gemwatch.core.job import Failed, NotFound, Observation, Seen
from gemwatch.demo import server
from support.asking import SHORT, api_at, endless, failed, raw
from support.clock import FakeClock
from support.gem import KEY, TOKEN, Answer, ScriptedGem, document
from support.http import Handler
from support.waiting import until


@pytest.fixture
def free_port() -> int:
    return server.free_port()


LONG_HEADER = "a header of the answer is longer than 32 KiB"

# Connections that break, stall or lie


@pytest.mark.parametrize(
    "answer",
    [
        raw(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"job_id": 7'),
        raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"job'),
    ],
    ids=["shorter than it said", "cut in a chunk"],
)
async def test_truncated_answer_is_a_failure(gem: ScriptedGem, api: GemApi, answer: Answer) -> None:
    gem.answers(7, answer)
    seen = failed(await api.ask(7, TOKEN))
    assert (seen.reason, seen.bad) == ("the connection broke in the middle of the answer", False)


async def test_invalid_chunks_fail_within_the_time_limit(gem: ScriptedGem) -> None:
    # If they come in a segment of their own, aiohttp 3.14 drops the connection without telling the reader.
    gem.answers(
        7, raw(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"job\r\n', b"zz\r\nno chunk\r\n\r\n")
    )
    gem.answers(8, "SUCCESS")
    async with api_at(gem.url, timeout=SHORT, max_in_flight=1) as api:
        failed(await api.ask(7, TOKEN))
        assert isinstance(await api.ask(8, TOKEN), Seen)


async def test_overlong_answer_does_not_spoil_later_ones(gem: ScriptedGem) -> None:
    body, clock = json.dumps(document(7, "REQUESTED")).encode(), FakeClock()
    rest = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    gem.answers(7, Answer(body=body + rest, headers={"Content-Length": str(len(body))}), "IN_PROGRESS", "SUCCESS")
    async with api_at(gem.url, clock) as api:
        first = await api.ask(7, TOKEN)
        await api.ask(7, TOKEN)
        clock.advance(10)
        last = await api.ask(7, TOKEN)
    assert isinstance(first, Seen)
    assert isinstance(last, Seen)
    assert (first.job.status, last.job.status) == ("REQUESTED", "SUCCESS")


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        raw(b"\x16\x03\x01\x02\x00\r\n\r\n"),
        raw(b"HTTP/1.1 abc\r\n\r\n"),
        raw(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}"),
    ],
    ids=["ssh", "tls", "no status", "no length"],
)
async def test_answer_that_is_not_http_is_bad(gem: ScriptedGem, api: GemApi, answer: Answer) -> None:
    gem.answers(7, answer)
    seen = failed(await api.ask(7, TOKEN))
    assert (seen.reason, seen.bad) == ("the answer is not HTTP", True)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 50_000 + b"\r\n\r\n{}"), LONG_HEADER),
        (endless(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 4096), LONG_HEADER),
        (endless(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), "the answer has more than 500 headers"),
    ],
    ids=["long header", "endless header", "endless headers"],
)
async def test_headers_over_the_limit_name_the_limit(
    gem: ScriptedGem, api: GemApi, answer: Answer, reason: str
) -> None:
    gem.answers(7, answer)
    seen = failed(await api.ask(7, TOKEN))
    assert (seen.reason, seen.bad) == (reason, True)


async def test_many_long_headers_are_accepted(gem: ScriptedGem, api: GemApi) -> None:
    headers = {f"X-{number}": "y" for number in range(200)} | {"X-Policy": "z" * 16_384}
    gem.answers(7, Answer(body=json.dumps(document(7, "SUCCESS")).encode(), headers=headers))
    assert isinstance(await api.ask(7, TOKEN), Seen)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(hold=threading.Event()),
        endless(b"HTTP/1.1 200 OK\r\nX: ", b"y", pause=0.02),
        endless(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" ", pause=0.02),
        endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n", pause=0.02),
    ],
    ids=["silence", "drip in headers", "drip in body", "for ever processing"],
)
async def test_time_limit_is_for_the_whole_request(gem: ScriptedGem, answer: Answer) -> None:
    gem.answers(7, answer)
    gem.answers(8, "SUCCESS")
    async with api_at(gem.url, timeout=SHORT, max_in_flight=1) as api:
        seen = failed(await api.ask(7, TOKEN))
        assert (seen.reason, seen.bad) == ("no answer within 0.4 s", False)
        assert isinstance(await api.ask(8, TOKEN), Seen)
    if answer.hold is not None:
        answer.hold.set()


async def test_closed_port_is_reported(free_port: int) -> None:
    async with api_at(f"http://127.0.0.1:{free_port}") as api:
        seen = failed(await api.ask(7, TOKEN))
    assert (seen.reason, seen.bad) == (f"no connection to 127.0.0.1:{free_port}: connection refused", False)


async def test_unresolved_host_name_is_reported() -> None:
    async with api_at("http://gem.invalid") as api:
        seen = failed(await api.ask(7, TOKEN))
    assert seen.reason.startswith("the name gem.invalid cannot be resolved: ")
    assert not seen.bad


async def test_name_lookup_uses_its_own_thread(gem: ScriptedGem) -> None:
    gem.answers(7, "SUCCESS")
    async with api_at(f"http://localhost:{gem.port}") as api:
        assert isinstance(await api.ask(7, TOKEN), Seen)
    assert not any(thread.name.startswith("asyncio") for thread in threading.enumerate())


@pytest.mark.parametrize(
    "url",
    ["http://" + "a" * 70, "http://x..y", "ftp://127.0.0.1", "http://me:pw@127.0.0.1:1", "nonsense", "http://[::1"],
)
async def test_invalid_address_is_a_failure(url: str) -> None:
    async with api_at(url) as api:
        seen = failed(await api.ask(7, TOKEN))
    assert not seen.bad
    assert "pw" not in seen.reason


# Connections are kept, replaced and never lost


async def test_consecutive_requests_share_a_connection(gem: ScriptedGem, api: GemApi) -> None:
    gem.answers(7, "IN_PROGRESS")
    for _ in range(5):
        await api.ask(7, TOKEN)
    assert len({r.connection for r in gem.requests}) == 1


@pytest.mark.parametrize("status", [401, 404, 429, 503])
async def test_unneeded_body_keeps_the_connection(status: int) -> None:
    opened = ended = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened, ended
        opened += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\n" % status)
                for _ in range(20):  # turns of the client's own loop: by now it has read the headers
                    await asyncio.sleep(0)
                writer.write(b"{}")
        writer.close()
        ended += 1

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        async with api_at(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as api:
            for _ in range(3):
                await api.ask(7, TOKEN)
        await until(lambda: ended == opened, "the ends of all connections")
    assert opened == 1


@pytest.mark.parametrize(
    "answer",
    [
        raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nno"),
        raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 1000000000\r\n\r\nno"),
        endless(b"HTTP/1.1 404 Not Found\r\n\r\n", b"no" * 50_000),
        endless(b"HTTP/1.1 404 Not Found\r\n\r\n", b"no", pause=0.1),
    ],
    ids=["cut off", "vast", "endless", "endless and slow"],
)
async def test_unneeded_body_may_be_invalid(gem: ScriptedGem, api: GemApi, answer: Answer) -> None:
    gem.answers(7, answer)
    assert isinstance(await api.ask(7, TOKEN), NotFound)


async def test_slow_body_does_not_hide_the_status(gem: ScriptedGem) -> None:
    gem.answers(7, endless(b"HTTP/1.1 404 Not Found\r\n\r\n", b"no", pause=0.1))
    async with api_at(gem.url, timeout=SHORT) as api:
        assert isinstance(await api.ask(7, TOKEN), NotFound)


async def test_closed_kept_alive_connection_is_retried(gem: ScriptedGem, api: GemApi) -> None:
    gem.answers(7, "REQUESTED", raw(), "IN_PROGRESS")
    first, second = await api.ask(7, TOKEN), await api.ask(7, TOKEN)
    assert isinstance(first, Seen)
    assert isinstance(second, Seen)
    assert second.job.status == "IN_PROGRESS"
    assert gem.asked(7) == 3
    assert gem.requests[1].connection != gem.requests[2].connection


async def test_server_that_always_disconnects_is_a_failure(gem: ScriptedGem, api: GemApi) -> None:
    gem.answers(7, raw())
    seen = failed(await api.ask(7, TOKEN))
    assert (seen.reason, seen.bad) == ("the server closed the connection without an answer", False)
    assert gem.asked(7) == 2


async def test_server_that_resets_the_connection_is_a_failure(gem: ScriptedGem, api: GemApi) -> None:
    def reset(handler: Handler) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        handler.connection.close()

    gem.answers(7, Answer(write=reset))
    seen = failed(await api.ask(7, TOKEN))
    assert (seen.reason, seen.bad) == ("connection reset by peer", False)


def as_many_requests(gem: ScriptedGem, number: int) -> bool:
    return len(gem.requests) >= number


async def test_cancelled_requests_leave_no_connection_occupied(gem: ScriptedGem) -> None:
    stalled = threading.Event()
    gem.for_all = Answer(status=503, hold=stalled)
    async with api_at(gem.url, max_in_flight=5) as api:
        for _ in range(4):
            asked = len(gem.requests)
            tasks = [asyncio.create_task(api.ask(7, TOKEN)) for _ in range(15)]
            await until(partial(as_many_requests, gem, asked + 5), "a full set of requests")
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(end, asyncio.CancelledError) for end in ended)
        stalled.set()
        gem.for_all = None
        gem.answers(7, "IN_PROGRESS")
        seen = await asyncio.gather(*(api.ask(7, TOKEN) for _ in range(50)))
    assert all(isinstance(one, Seen) for one in seen)


async def test_timed_out_requests_leave_no_connection_occupied(gem: ScriptedGem) -> None:
    stalled = threading.Event()
    gem.for_all = Answer(status=503, hold=stalled)
    async with api_at(gem.url, max_in_flight=5, timeout=SHORT) as api:
        seen = await asyncio.gather(*(api.ask(7, TOKEN) for _ in range(20)))
        assert all(isinstance(one, Failed) for one in seen)
        stalled.set()
        gem.for_all = None
        gem.answers(7, "IN_PROGRESS")
        assert isinstance(await api.ask(7, TOKEN), Seen)


async def test_replaced_connections_finish_their_requests(
    gem: ScriptedGem,
) -> None:
    body, clock, go_on = json.dumps(document(7, "SUCCESS")).encode(), FakeClock(), threading.Event()
    gem.answers(7, Answer(body=body, hold=go_on))
    gem.answers(8, "IN_PROGRESS")
    async with api_at(gem.url, clock) as api:
        slow = asyncio.create_task(api.ask(7, TOKEN))
        await until(lambda: gem.asked(7), "the slow request")
        await api.ask(8, TOKEN)
        clock.advance(16 * 60)
        await api.ask(8, TOKEN)
        await api.ask(8, TOKEN)
        go_on.set()
        assert isinstance(await slow, Seen)
    _, before, after, again = (r.connection for r in gem.requests)
    assert before != after == again


@pytest.mark.parametrize("answer", [Answer(status=503), Answer(body=b"<html>")], ids=["503", "nonsense"])
async def test_bad_answer_replaces_the_connections_soon(gem: ScriptedGem, answer: Answer) -> None:
    clock = FakeClock()
    gem.answers(7, answer)
    async with api_at(gem.url, clock) as api:
        for pause in (1, 1, 10, 1):
            await api.ask(7, TOKEN)
            clock.advance(pause)
    first, second, third, fourth = (r.connection for r in gem.requests)
    assert first == second == third != fourth


async def test_client_closed_during_a_request_lets_it_end(gem: ScriptedGem) -> None:
    body, go_on = json.dumps(document(7, "SUCCESS")).encode(), threading.Event()
    gem.answers(7, Answer(body=body, hold=go_on))
    async with api_at(gem.url) as api:
        slow = asyncio.create_task(api.ask(7, TOKEN))
        await until(lambda: gem.asked(7), "the slow request")
    go_on.set()
    assert isinstance(await slow, Seen)


# TLS


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A private authority that SSL_CERT_FILE makes trusted."""
    ca = trustme.CA()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return ca


def tls(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


async def ask_over_tls(context: ssl.SSLContext) -> Observation:
    with ScriptedGem(tls=context) as gem:
        gem.answers(7, "SUCCESS")
        async with api_at(gem.url) as api:
            return await api.ask(7, TOKEN)


async def test_ssl_cert_file_adds_a_private_authority(ca: trustme.CA) -> None:
    assert isinstance(await ask_over_tls(tls(ca.issue_cert("127.0.0.1"))), Seen)


def expired(ca: trustme.CA) -> ssl.SSLContext:
    now = datetime.now(UTC)
    return tls(ca.issue_cert("127.0.0.1", not_before=now - timedelta(days=2), not_after=now - timedelta(days=1)))


def of_another_host(ca: trustme.CA) -> ssl.SSLContext:
    return tls(ca.issue_cert("other.example"))


def of_an_unknown_authority(ca: trustme.CA) -> ssl.SSLContext:
    return tls(trustme.CA().issue_cert("127.0.0.1"))


def self_signed(ca: trustme.CA) -> ssl.SSLContext:
    unknown, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with unknown.cert_pem.tempfile() as certificate, unknown.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize(
    ("server", "words"),
    [
        (expired, "certificate has expired"),
        (of_another_host, "mismatch"),
        (of_an_unknown_authority, "SSL_CERT_FILE can name the CA to trust"),
        (self_signed, "self-signed certificate"),
    ],
)
async def test_untrusted_certificate_has_a_reason(
    ca: trustme.CA, server: Callable[[trustme.CA], ssl.SSLContext], words: str
) -> None:
    seen = failed(await ask_over_tls(server(ca)))
    assert seen.reason.startswith("certificate verify failed: ")
    assert words in seen.reason
    assert not seen.bad


async def test_server_without_tls_is_reported(gem: ScriptedGem) -> None:
    async with api_at(gem.url.replace("http:", "https:")) as api:
        seen = failed(await api.ask(7, TOKEN))
    assert seen.reason.startswith(f"no TLS connection to 127.0.0.1:{gem.port}: ")


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_unreadable_ca_file_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gem: ScriptedGem, content: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with api_at(gem.url) as api:
        assert "SSL_CERT_FILE" in failed(await api.ask(7, TOKEN)).reason
        monkeypatch.delenv("SSL_CERT_FILE")
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        assert isinstance(await api.ask(7, TOKEN), NotFound)


# Proxies


class Proxy:
    """Answers plain HTTP itself, and connects every tunnel to one local port."""

    def __init__(self, tunnel_to: int) -> None:
        self.heads: list[str] = []
        self.refuses = False
        self._tunnel_to = tunnel_to

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        async with asyncio.TaskGroup() as pumps:
            self._pumps = pumps
            server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.heads.append(head)
        if not head.startswith("CONNECT"):
            body = json.dumps(document(7, "SUCCESS")).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        elif self.refuses:
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        else:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._tunnel_to)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._pumps.create_task(pump(inner_reader, writer))
            self._pumps.create_task(pump(reader, inner_writer))
            return
        writer.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(65536):
            writer.write(piece)
    except ConnectionError:
        pass
    writer.close()


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def test_proxy_tunnel_hides_secrets_from_the_proxy(
    ca: trustme.CA, no_proxies: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ScriptedGem(tls=tls(ca.issue_cert("gem.invalid"))) as gem:
        gem.answers(7, "SUCCESS")
        proxy = Proxy(gem.port)
        async with proxy.running() as address:
            monkeypatch.setenv("HTTPS_PROXY", f"http://user:p%40ss@{address}")
            async with api_at("https://gem.invalid/gem") as api:
                for _ in range(2):
                    assert isinstance(await api.ask(7, TOKEN), Seen | NotFound)
    [head] = proxy.heads
    assert head.startswith("CONNECT gem.invalid:443 ")
    assert "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n" in head
    assert KEY not in head
    assert TOKEN not in head
    assert [r.path for r in gem.requests] == ["/gem/jobs/7"] * 2


async def test_failing_proxy_is_named_without_its_password(
    no_proxies: None, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    proxy = Proxy(free_port)
    proxy.refuses = True
    async with proxy.running() as address:
        monkeypatch.setenv("https_proxy", f"http://user:secret@{address}")
        async with api_at("https://gem.invalid") as api:
            assert failed(await api.ask(7, TOKEN)).reason == "the proxy refused the connection with HTTP 407"
    monkeypatch.setenv("https_proxy", f"http://user:secret@127.0.0.1:{free_port}")
    async with api_at("https://gem.invalid") as api:
        reason = failed(await api.ask(7, TOKEN)).reason
    assert reason == f"no connection to the proxy 127.0.0.1:{free_port}: connection refused"


async def test_proxy_depends_on_scheme_and_no_proxy(no_proxies: None, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Proxy(0)
    async with proxy.running() as address:
        monkeypatch.setenv("ALL_PROXY", address)
        async with api_at("http://gem.invalid/gem") as api:
            assert isinstance(await api.ask(7, TOKEN), Seen)
        assert proxy.heads[0].startswith("GET http://gem.invalid/gem/jobs/7 ")
        monkeypatch.setenv("NO_PROXY", "other.example,.invalid")
        async with api_at("http://gem.invalid/gem") as api:
            assert "cannot be resolved" in failed(await api.ask(7, TOKEN)).reason
    assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("10.0.0.0/8", "http://10.1.2.3:81/gem"),
        ("other.example, 10.0.0.0/8", "http://10.1.2.3/gem"),
        ("10.1.2.3:81", "http://10.1.2.3:81/gem"),
        ("gem.invalid:81", "http://gem.invalid:81/gem"),
        ("10.0.0.0/8", "http://11.1.2.3/gem"),
        ("gem.invalid:81", "http://gem.invalid:82/gem"),
        ("nonsense/99", "http://10.1.2.3/gem"),
    ],
)
def test_no_proxy_rule_matches_notifications(
    no_proxies: None, monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str
) -> None:
    monkeypatch.setenv("ALL_PROXY", "http://proxy.example.com:3128")
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert (proxy_for(url) is None) == should_bypass_proxies(url, None)


async def test_requests_to_this_machine_use_no_proxy(
    gem: ScriptedGem, no_proxies: None, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    for host in ("127.0.0.1", "localhost"):
        async with api_at(f"http://{host}:{gem.port}") as api:
            assert isinstance(await api.ask(7, TOKEN), NotFound)


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://[broken", "http://user:secret@127.0.0.1:port"])
async def test_unusable_proxy_is_a_failure(no_proxies: None, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    async with api_at("https://gem.invalid") as api:
        seen = failed(await api.ask(7, TOKEN))
    assert "proxy" in seen.reason
    assert "secret" not in seen.reason
