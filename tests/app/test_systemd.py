"""The socket to systemd, played by a real datagram socket."""

import os
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemwatch.app.systemd import NotifySocket


class Systemd:
    """Receives the messages of a service, in order."""

    def __init__(self, name: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(name.replace("@", "\0", 1))
        self.environ = {"NOTIFY_SOCKET": name}

    def wait(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(65536).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Systemd]:
    abstract = request.param == "abstract"
    systemd = Systemd(f"@gemwatch-{secrets.token_hex(8)}" if abstract else str(tmp_path / "notify"))
    yield systemd
    systemd.close()


@pytest.fixture
def service(systemd: Systemd) -> Iterator[NotifySocket]:
    service = NotifySocket(systemd.environ)
    yield service
    service.close()


def test_each_message_to_systemd_is_one_datagram(systemd: Systemd, service: NotifySocket) -> None:
    service.ready()
    service.watchdog()
    service.stopping()
    service.extend(1.5)
    assert systemd.wait() == ["READY=1", "WATCHDOG=1", "STOPPING=1", "EXTEND_TIMEOUT_USEC=1500000"]


def test_reload_message_has_its_start_time(systemd: Systemd, service: NotifySocket) -> None:
    service.reloading()
    (message,) = systemd.wait()
    word, _, since = message.partition("\nMONOTONIC_USEC=")
    assert word == "RELOADING=1"
    assert int(since) > 0


def test_status_with_any_text_stays_one_line(systemd: Systemd, service: NotifySocket) -> None:
    service.status("3 jobs → 1 ended\nREADY=1 \ud800")
    assert systemd.wait() == ["STATUS=3 jobs → 1 ended READY=1 ?"]
    assert service.failures == 0


def test_failed_sends_are_counted_and_never_raised(tmp_path: Path) -> None:
    for address in (tmp_path / "nobody-listens", tmp_path / ("long" * 100)):
        service = NotifySocket({"NOTIFY_SOCKET": str(address)})
        service.ready()
        service.watchdog()
        assert service.failures == 2
        service.close()


def test_receiver_that_does_not_read_never_blocks(systemd: Systemd, service: NotifySocket) -> None:
    for _ in range(10_000):
        service.watchdog()
    assert service.failures > 0
    assert systemd.wait()
    service.stopping()
    assert systemd.wait() == ["STOPPING=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1234"}])
def test_without_systemd_every_call_does_nothing(environ: dict[str, str]) -> None:
    service = NotifySocket({**environ, "WATCHDOG_USEC": "30000000"})
    service.ready()
    service.status("text")
    service.close()
    assert service.failures == 0
    assert service.watchdog_interval is None


@pytest.mark.parametrize(
    ("variables", "interval"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 10.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_watchdog_is_fed_three_times_per_interval(
    systemd: Systemd, variables: dict[str, str], interval: float | None
) -> None:
    service = NotifySocket({**systemd.environ, **variables})
    assert service.watchdog_interval == interval
    service.close()
