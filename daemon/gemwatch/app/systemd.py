"""Reports the state of the service to systemd: sd_notify(3), for Type=notify, Type=notify-reload and WatchdogSec."""

import os
import socket
import time
from collections.abc import Mapping


class NotifySocket:
    """Reports the program's state to systemd. Without systemd every call does nothing; calls never raise.

    `watchdog_interval`: call `watchdog` this often, in seconds: three times in the span after which systemd
    takes the program for hung. None where systemd does not ask for it.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._socket = _socket() if self._address else None
        self.failures = 0  # messages that could not be sent
        self.watchdog_interval = _watchdog_interval(environ) if self._address else None

    @property
    def present(self) -> bool:
        """Whether the program runs under systemd."""
        return self._socket is not None

    def ready(self) -> None:
        """The program is ready; also sent at the end of a reload."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send("STATUS=" + " ".join(text.split()))  # a line break would begin another message

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """Ask for this long, from now, to finish starting, reloading or stopping."""
        self._send(f"EXTEND_TIMEOUT_USEC={seconds * 1e6:.0f}")

    def close(self) -> None:
        if self._socket:
            self._socket.close()

    def _send(self, message: str) -> None:
        if not self._socket:
            return
        try:
            self._socket.sendto(message.encode(errors="replace"), self._address)
        except OSError:
            self.failures += 1


def _address(text: str) -> str:
    """A path, or with `@` a name in the abstract namespace. Other kinds (vsock) are for virtual machines."""
    return "\0" + text[1:] if text.startswith("@") else text if text.startswith("/") else ""


def _socket() -> socket.socket | None:
    """Opened once, so that a process that ran out of files can still feed the watchdog."""
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return None
    sock.setblocking(False)
    return sock


def _watchdog_interval(environ: Mapping[str, str]) -> float | None:
    # The variables are inherited: WATCHDOG_PID tells whether they are meant for this process.
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    try:
        span = int(environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        return None
    return span / 3 if span > 0 else None
