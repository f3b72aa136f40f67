"""Log lines: one event, one line on standard error, without secrets, and without ever blocking the program.

An event is a short name for filters (`component_failed`); sentences are in the fields `reason` and `detail`. All
times are UTC in one format, 2026-11-23T12:00:00.000Z.
"""

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
_NOT_READ = "Standard error was not read fast enough."

Fields = dict[str, Any]  # JSON values; `time`, `level` and `event` come first, `exception` may follow
Render = Callable[[Any, str, Fields], str | bytes]  # as structlog's renderers


def configure(
    level: str,
    format: str,  # noqa: A002 (the configuration's word)
    secrets: Secrets,
    stream: TextIO | None = None,
    environ: Mapping[str, str] = os.environ,
) -> "Log":
    """Send the lines of structlog and of the standard library's loggers to `stream`: standard error, or another one
    with a file descriptor.

    `format` is `json`, `console`, or `auto`: console on a terminal and in systemd's journal, else json. In the
    journal every line carries its priority, and a console line has no time, since the journal has both.

    Libraries log from `warning` on, whatever the level. Close what this returns when the program ends.
    """
    stream = sys.stderr if stream is None else stream
    terminal, journal = stream.isatty(), _is_journal(stream, environ)
    render: Render = structlog.processors.JSONRenderer()
    if format == "console" or (format == "auto" and (terminal or journal)):
        render = _console(colors=terminal and not environ.get("NO_COLOR"), time=not journal)
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
    """Where lines go. A thread of its own writes them: when nothing reads standard error any more, that thread
    waits, lines beyond `capacity` are dropped and counted, and the rest of the program continues."""

    def __init__(self, stream: TextIO, render: Render, secrets: Secrets, capacity: int = 10_000) -> None:
        self._stream = stream
        self._render = render
        self._secrets = secrets
        self._capacity = capacity
        # Not queue.Queue: garbage collection that logs during a put would wait for its lock forever.
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._dropped = self._reported = 0  # lines; an estimate when several threads log at once
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def line_of(self, _: object, __: str, fields: Mapping[str, Any]) -> str:
        """An event as its line; a structlog processor."""
        head = {"time": datetime.now(UTC), "level": fields["level"], "event": fields["event"]}
        # First the values, since escaping disguises a secret; then the line, which must not hold one.
        plain = _plain({**head, **fields, **head}, self._secrets.mask)
        return self._secrets.mask(str(self._render(None, fields["level"], plain)))

    def put(self, line: str) -> None:
        """Never blocks and never raises."""
        if self._lines.qsize() < self._capacity:
            self._lines.put(line)
        else:
            self._dropped += 1

    debug = info = warning = error = critical = put  # what structlog calls, the level being in the line already

    def close(self, patience: float = 1.0) -> None:
        """Write what is left, for `patience` seconds at most. Later lines are dropped, not printed unmasked."""
        self._capacity = 0
        self._lines.put(None)
        self._thread.join(patience)

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            self._write(line)
            if self._lines.empty():
                self._report_dropped()
        self._report_dropped()

    def _report_dropped(self) -> None:
        lost = self._dropped - self._reported
        if lost:
            self._reported += lost
            fields = {"level": "warning", "event": "log_lines_dropped", "count": lost, "reason": _NOT_READ}
            self._write(self.line_of(None, "", fields))

    def _write(self, line: str) -> None:
        data = f"{line}\n".encode(errors="backslashreplace")
        try:
            # Past Python's buffer: a thread that waits while it holds that buffer's lock aborts the exit. The
            # number is asked for each time: once the stream is closed, another file may have it.
            while data:
                data = data[os.write(self._stream.fileno(), data) :]
        except (OSError, ValueError):  # the reader is gone, or the stream is closed: the line is lost
            self._dropped += 1


class _Libraries(logging.Handler):
    """Turns what libraries log into lines of the same form."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage().strip()
        except (TypeError, ValueError):  # arguments that do not fit the message: a library's mistake
            message = str(record.msg)
        fields: Fields = {
            "level": record.levelname.lower(),
            "event": "library_message",
            "logger": record.name,
            "message": message,
        }
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


def _console(*, colors: bool, time: bool) -> Render:
    """For people. Nothing that comes from outside can begin a line of its own or move the cursor."""
    render = structlog.dev.ConsoleRenderer(
        colors=colors, sort_keys=False, timestamp_key="time", exception_formatter=structlog.dev.plain_traceback
    )

    def console(logger: Any, name: str, fields: Fields) -> str:
        shown = {key: _printable(value) for key, value in fields.items() if time or key != "time"}
        if trace := fields.get("exception"):
            shown["exception"] = "\n".join(f"    {_printable(line)}" for line in trace.splitlines())
        return render(logger, name, shown).rstrip()

    return console


def _prioritised(render: Render) -> Render:
    def prioritised(logger: Any, name: str, fields: Fields) -> str:
        prefix = f"<{_PRIORITIES.get(fields['level'], 6)}>"
        return "\n".join(prefix + line for line in str(render(logger, name, fields)).split("\n"))

    return prioritised


def _printable(value: Any) -> Any:
    """Texts with everything that is not printable escaped; structlog quotes what holds a blank, a quote or `=`."""
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)


def _plain(value: Any, mask: Callable[[str], str]) -> Any:
    """The value as JSON has it, every text in it masked. Infinities and NaN, which JSON lacks, become texts."""
    match value:
        case str():  # first, because most are texts
            return mask(str(value))
        case None | bool() | int() | float() if not isinstance(value, float) or math.isfinite(value):
            return value
        case datetime():
            return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        case Mapping():
            return {mask(str(key)): _plain(item, mask) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(item, mask) for item in value]
        case _:
            return mask(str(value))
