"""Any request to the daemon's server leaves polling, messages and health checks undisturbed."""

import contextlib
import random
import socket
from collections.abc import Iterator

from support.daemon import Installation
from support.disk import held
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until

SEED = 20260301
WELL = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def strange_requests(chance: random.Random) -> Iterator[bytes]:
    """Invalid requests: some are random, some are valid ones with damage."""
    yield b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(5000)) + b"\r\n"
    yield b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 1_000_000
    yield b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFF\r\n"
    yield b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"
    yield b"GET http://127.0.0.1:1/ HTTP/1.1\r\nHost: x\r\n\r\n"
    yield b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n"
    yield b"GET /metrics HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    yield b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    yield WELL * 500
    for _ in range(60):
        damaged = bytearray(WELL)
        for _ in range(chance.randrange(1, 6)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        yield bytes(damaged)
        yield chance.randbytes(chance.randrange(1, 2000))


def send(port: int, request: bytes) -> None:
    """Send, close the sending side, read a little of the answer, and disconnect."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=0.3) as sock:
        sock.sendall(request)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1000)


def test_strange_requests_and_silent_clients_disturb_nothing(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    print(f"seed {SEED}")  # noqa: T201 (shown with a failure)
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon, contextlib.ExitStack() as silent:
        wait_until(lambda: gem.asked(1) >= 1, "the first poll")
        for begun in (b"", b"GET /hea", WELL[:-2]) * 5:
            sock = silent.enter_context(socket.create_connection(("127.0.0.1", installation.port)))
            sock.sendall(begun)
        for request in strange_requests(random.Random(SEED)):
            send(installation.port, request)
        asked = gem.asked(1)
        gem.answers(1, "IN_PROGRESS", "SUCCESS")
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 1"], "the end")
        assert gem.asked(1) >= asked + 2
        assert daemon.get("/healthz") == (200, '{"status":"ok"}')
        assert daemon.get("/metrics")[0] == 200
        assert daemon.stop() == 0
    assert not daemon.logged("loop_failed")


def test_scrapes_during_a_locked_store_do_not_hide_health(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    installation.configure(watch=[1])
    with installation.daemon() as daemon, contextlib.ExitStack() as scrapers:
        with held(installation.folder / "gemwatch.db"):
            for _ in range(70):
                sock = scrapers.enter_context(socket.create_connection(("127.0.0.1", installation.port)))
                sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: "database is locked" in daemon.get("/healthz")[1], "health to name the cause")
        wait_until(lambda: daemon.get("/healthz")[0] == 200, "health to be good again")
        assert daemon.stop() == 0
