"""A command on a terminal of its own, whose size, keys and screen a test controls."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from support.waiting import PATIENCE

_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_FULL = "\x1b[H"


def plain(text: str) -> str:
    return _ESCAPE.sub("", text).replace("\r\n", "\n")


class Terminal:
    """Use it as a context; `output` is everything so far, with its escape sequences."""

    def __init__(
        self, command: Sequence[str], environ: dict[str, str], *, columns: int = 80, lines: int = 24
    ) -> None:
        self._command, self._size = command, (columns, lines)
        # The size comes from the terminal, as for users, and not from variables.
        self._environ = {k: v for k, v in environ.items() if k not in ("COLUMNS", "LINES")} | {"TERM": "xterm"}
        self.output = ""

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        self.resize(*self._size)
        # `setsid` makes the terminal the command's own, so that Ctrl-C and resizing reach it.
        command = ["setsid", "--ctty", *self._command]
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=self._environ)
        os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def keys(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def until(self, pattern: str, *, after: int = 0) -> str:
        """Read until a pattern appears in the text without escape sequences, behind that many characters."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, plain(self.output[after:])):
            assert time.monotonic() < deadline, f"no {pattern!r} in {plain(self.output)[-3000:]!r}"
            if not self._read():
                break
        assert re.search(pattern, plain(self.output[after:])), plain(self.output)[-3000:]
        return plain(self.output[after:])

    def screen(self) -> list[str]:
        """The lines that were painted last on the full screen."""
        return plain(self.output.rpartition(_FULL)[2]).splitlines()

    def end(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < deadline, f"no end after {plain(self.output)[-3000:]!r}"
        return self.process.wait(PATIENCE)

    def interrupt(self) -> int:
        """Press Ctrl-C until the command ends: readline loses one that comes before it begins to wait for keys."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"no end after {plain(self.output)[-3000:]!r}"
            self.keys(INTERRUPT)
            # A second one would end by the signal a program that is about to end by itself.
            while self._readable(patience=10) and self._read():
                pass
        return self.end()

    def _readable(self, *, patience: float = 1) -> bool:
        return bool(select.select([self._ours], [], [], patience)[0])

    def _read(self) -> bool:
        if not self._readable():
            return self.process.poll() is None
        try:
            more = os.read(self._ours, 1 << 16)
        except OSError:  # the other side is closed
            return False
        self.output += more.decode(errors="replace")
        return bool(more)


INTERRUPT = "\x03"
