"""A terminal whose text is replaced as things change: the whole screen, or some lines below the command."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from gemwatch.cli.output.tables import terminal_size

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # the alternate screen, without a cursor
_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


@contextmanager
def full_screen() -> Iterator[None]:
    """The alternate screen; whatever ends this, the terminal is as it was before."""
    before = signal.signal(signal.SIGTERM, _stop)
    _write(_ENTER)
    try:
        yield
    finally:
        _write(_LEAVE)
        signal.signal(signal.SIGTERM, before)


def paint(lines: Sequence[str]) -> None:
    """Replace the full screen's text. `lines` are no more than the terminal has."""
    _write(_HOME + "\n".join(f"{line}{_END_OF_LINE}" for line in lines) + _BELOW)


def pause(seconds: float) -> None:
    """Wait, but not when the terminal's size changes: what is on it has to be painted again."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
    try:
        signal.sigtimedwait({signal.SIGWINCH}, seconds)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def cut(lines: Sequence[str], most: int, left_out: str) -> list[str]:
    """At most `most` lines. If some do not fit, the last one shows how many, at the `{}` in `left_out`."""
    if len(lines) <= most:
        return list(lines)
    return [*lines[: most - 1], left_out.format(len(lines) - most + 1)]


class Inline:
    """Lines that stay where the command was called; they are left there at the end."""

    def __init__(self) -> None:
        self._height = 0
        self._lines: Sequence[str] = ()

    def paint(self, lines: Sequence[str]) -> None:
        """Replace the lines. Those that do not fit on the terminal are shown at the end, by `finish`."""
        self._lines = lines
        self._replace(cut(lines, terminal_size().lines - 1, "and {} more lines"))

    def above(self, sentence: str) -> None:
        """A sentence on standard error, above the lines."""
        self._erase()
        sys.stdout.flush()
        print(sentence, file=sys.stderr, flush=True)
        if self._lines:
            self.paint(self._lines)

    def finish(self) -> None:
        self._replace(self._lines)

    def _replace(self, lines: Sequence[str]) -> None:
        self._erase()
        _write("".join(f"{line}\n" for line in lines))
        self._height = len(lines)

    def _erase(self) -> None:
        if self._height:
            _write(f"\x1b[{self._height}A\r{_BELOW}")
        self._height = 0


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _stop(number: int, _: object) -> None:
    raise SystemExit(128 + number)
