"""Log lines: one event, one line on standard error, without secrets, and never in the program's way."""

import json
import logging
import math
import os
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from gemwatch.core.secrets import Secrets

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}  # syslog's
_COLOURS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "1;31"}
_EVENT_WIDTH = 28

Fields = dict[str, Any]  # JSON values; `time`, `level` and `event` come first, `exception` may follow
Render = Callable[[Fields], str]


def configure(
    level: str,
    format: str,  # noqa: A002 (the configuration's word)
    secrets: Secrets,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> "Log":
    """Send what structlog and the standard library's loggers say to `stream`: standard error, or any other
    that has a file descriptor.

    `format` is `json`, `console`, or `auto`: console on a terminal and in systemd's journal, else json. Into the
    journal, every line carries its priority, and a console line no time, since the journal has both.

    Libraries are heard from `warning` on, whatever the level. Close what this returns when the program ends.
    """
    stream = sys.stderr if stream is None else stream
    terminal, journal = stream.isatty(), _is_journal(stream, environ)
    render: Render = _json
    if format == "console" or (format == "auto" and (terminal or journal)):
        render = _Console(colour=terminal and not environ.get("NO_COLOR"), time=not journal)
    log = Log(stream, _prioritised(render) if journal else render, secrets)
    structlog.configure(
        processors=[structlog.processors.add_log_level, structlog.processors.format_exc_info, log.line_of],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: log,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.handlers = [h for h in root.handlers if not isinstance(h, _Libraries)] + [_Libraries(log)]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    _keep_apart(logging.getLogger("apprise"))
    logging.captureWarnings(True)
    return log


def _keep_apart(logger: logging.Logger) -> None:
    """For Apprise, whose lines hold the targets' URLs. A logger without any handler writes to standard error."""
    logger.propagate = False
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


class Log:
    """Where lines go. They are written by a thread of its own: when nobody reads standard error any more, that
    thread waits, lines beyond `capacity` are dropped and counted, and everything else goes on."""

    def __init__(self, stream: TextIO, render: Render, secrets: Secrets, capacity: int = 10_000) -> None:
        self._stream = stream
        self._render = render
        self._secrets = secrets
        self._capacity = capacity
        # Not queue.Queue: its lock would be waited for twice when garbage collection logs in mid-put.
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = self._confessed = 0  # lines; an estimate when several threads log at once
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def line_of(self, _: object, __: str, fields: Mapping[str, Any]) -> str:
        """One event as its line; a structlog processor."""
        head = {"time": datetime.now(UTC), "level": fields["level"], "event": fields["event"]}
        # The values first, since escaping disguises a secret; then the line, which is what must not hold one.
        plain = _plain({**head, **fields, **head}, self._secrets.mask)
        return self._secrets.mask(self._render(plain))

    def put(self, line: str) -> None:
        """Never blocks and never raises."""
        if self._lines.qsize() < self._capacity:
            self._lines.put(line)
        else:
            self._dropped += 1

    debug = info = warning = error = critical = put  # what structlog calls, the level being in the line already

    def close(self, patience: float = 1.0) -> None:
        """Write what is left, for `patience` seconds at most. Later lines are lost, not printed unmasked."""
        self._capacity = 0
        self._lines.put(None)
        self._thread.join(patience)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write(line)
            if self._lines.empty():
                self._confess()
        self._confess()

    def _confess(self) -> None:
        lost = self._dropped - self._confessed
        if lost:
            self._confessed += lost
            event = "log lines were dropped, since nobody read them"
            self._write(self.line_of(None, "", {"level": "warning", "event": event, "count": lost}))

    def _write(self, line: str) -> None:
        data = f"{line}\n".encode(errors="backslashreplace")
        try:
            # Past Python's buffer: a thread that waits while it holds that buffer's lock aborts the exit. The
            # number is asked for each time: once the stream is closed, another file may have it.
            while data:
                data = data[os.write(self._stream.fileno(), data) :]
        except (OSError, ValueError):  # the reader is gone, or the stream is closed: there is no one to tell
            self._dropped += 1


class _Libraries(logging.Handler):
    """Brings what libraries log through the standard library into the same lines."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event = record.getMessage().strip()
        except (TypeError, ValueError):  # arguments that do not fit the message: a library's mistake
            event = str(record.msg)
        fields: Fields = {"level": record.levelname.lower(), "event": event, "logger": record.name}
        if record.exc_info and record.exc_info[0]:
            fields["exc_info"] = record.exc_info
        self._log.put(self._log.line_of(None, "", structlog.processors.format_exc_info(None, "", fields)))


def _is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether the stream is the journal's. The variable alone is not enough: it is inherited (systemd.exec(5))."""
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def _json(fields: Fields) -> str:
    return json.dumps(fields)


class _Console:
    """For people: local time, level, event, then the rest. Nothing that comes from outside can begin a line of
    its own or move the cursor."""

    def __init__(self, *, colour: bool, time: bool) -> None:
        self._colour = colour
        self._time = time

    def __call__(self, fields: Fields) -> str:
        rest = dict(fields)
        time, level, event, trace = (str(rest.pop(key, "")) for key in ("time", "level", "event", "exception"))
        local = datetime.fromisoformat(time).astimezone().strftime("%H:%M:%S")
        parts = [
            *([self._in("2", local)] if self._time else []),
            self._in(_COLOURS.get(level, ""), f"{level:<8}"),
            self._in("1", f"{_visible(event):<{_EVENT_WIDTH if rest else 0}}"),
            *(f"{self._in('36', _visible(key))}={_word(value)}" for key, value in rest.items()),
        ]
        indented = (f"    {_visible(line)}" for line in trace.splitlines())
        return "\n".join([" ".join(parts), *indented])

    def _in(self, colour: str, text: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour and colour else text


def _prioritised(render: Render) -> Render:
    def prioritised(fields: Fields) -> str:
        prefix = f"<{_PRIORITIES.get(fields['level'], 6)}>"
        return "\n".join(prefix + line for line in render(fields).split("\n"))

    return prioritised


def _word(value: Any) -> str:
    """A value as it can be told from its neighbours: quoted wherever it holds more than one plain word."""
    if isinstance(value, str) and value and value.isprintable() and not set(value) & set(' "=\\'):
        return value
    return _visible(json.dumps(value, ensure_ascii=False))


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _plain(value: Any, mask: Callable[[str], str]) -> Any:
    """The value as JSON has it, every text in it masked. Infinities and NaN, which JSON lacks, become texts."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case None | bool() | int() | float():
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Mapping():
            return {mask(str(key)): _plain(item, mask) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item, mask) for item in value]
        case _:
            return mask(str(value))
