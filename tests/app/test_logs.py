"""Log lines, read at the other end of a real pipe or terminal."""

import json
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
import structlog

from gemwatch.app import logs
from gemwatch.core.secrets import Secrets

SECRET = 'pä"ss\\word-5e1f0c'


def fail(text: str) -> NoReturn:
    raise RuntimeError(text)


class Reader:
    """Standard error as a pipe or a terminal: `lines` ends the log and gives all that arrived."""

    def __init__(self, *, terminal: bool = False) -> None:
        self._out, inward = os.openpty() if terminal else os.pipe()
        self.stream = os.fdopen(inward, "w")
        stat = os.fstat(inward)
        self.journal = {"JOURNAL_STREAM": f"{stat.st_dev}:{stat.st_ino}"}
        self.secrets = Secrets()
        self.secrets.add(SECRET)
        self._log: logs.Log | None = None
        self._left = False

    def configure(self, format: str = "json", level: str = "info", environ: Mapping[str, str] | None = None) -> Any:  # noqa: A002
        self._log = logs.configure(level, format, self.secrets, self.stream, environ or {})
        return structlog.get_logger()

    def end(self, patience: float = 30.0) -> None:
        if self._log:
            self._log.close(patience)

    def text(self) -> str:
        self.end()
        os.set_blocking(self._out, False)
        return "".join(self._pieces())

    def _pieces(self) -> Iterator[str]:
        while True:
            try:
                piece = os.read(self._out, 65536)
            except BlockingIOError:
                return
            yield piece.decode()

    def read_for_ever(self) -> Iterator[str]:
        with os.fdopen(os.dup(self._out)) as lines:
            yield from lines

    def lines(self) -> list[str]:
        return self.text().splitlines()

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines()]

    def leave(self) -> None:
        """Stop reading: a blocked write gets an error."""
        if not self._left:
            os.close(self._out)
        self._left = True

    def close(self) -> None:
        self.leave()
        self.end()
        self.stream.close()


@pytest.fixture
def pipe() -> Iterator[Reader]:
    pipe = Reader()
    yield pipe
    pipe.close()


@pytest.fixture
def terminal() -> Iterator[Reader]:
    terminal = Reader(terminal=True)
    yield terminal
    terminal.close()


def test_json_has_stable_fields_first_and_json_values(pipe: Reader) -> None:
    log = pipe.configure()
    at = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    log.warning(
        "transition", job_id=7, name="España", late=1.5, before=None, at=at, bad=float("nan"), of=("a", {1: "b"})
    )
    (record,) = pipe.records()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.pop("time"))
    assert list(record.items()) == [
        ("level", "warning"), ("event", "transition"), ("job_id", 7), ("name", "España"), ("late", 1.5),
        ("before", None), ("at", "2026-11-23T12:00:00.000Z"), ("bad", "nan"), ("of", ["a", {"1": "b"}]),
    ]  # fmt: skip


def test_fields_of_an_event_never_replace_the_stable_ones(pipe: Reader) -> None:
    pipe.configure().info("job moved", level="critical", time="yesterday")
    (record,) = pipe.records()
    assert list(record) == ["time", "level", "event"]
    assert record["level"] == "info"
    assert record["time"] != "yesterday"


def test_events_below_the_level_are_not_shown(pipe: Reader) -> None:
    log = pipe.configure(level="warning")
    log.debug("a")
    log.info("b")
    log.warning("c")
    assert [r["event"] for r in pipe.records()] == ["c"]


@pytest.mark.parametrize("format_", ["json", "console"])
def test_secrets_are_masked_in_every_field(pipe: Reader, format_: str) -> None:
    log = pipe.configure(format_)
    log.info("event %s", SECRET, text=f"a {SECRET} b", inside=[{"k": SECRET, SECRET: 1}], error=ValueError(SECRET))
    try:
        fail(f"refused {SECRET}")
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("uvicorn.error").exception("failed with %s", SECRET)
    text = pipe.text()
    assert "5e1f0c" not in text
    assert text.count("***") >= 7


def test_an_exception_is_one_text_in_json(pipe: Reader) -> None:
    log = pipe.configure()
    try:
        fail("no\nsuch thing")
    except RuntimeError:
        log.exception("a loop died", loop="polls")
    (record,) = pipe.records()
    assert (record["level"], record["loop"]) == ("error", "polls")
    assert record["exception"].startswith("Traceback")
    assert record["exception"].endswith("RuntimeError: no\nsuch thing")


FORGED = "x\n12:00:00 error    forged\r\x1b[2J\u2028\x85\u202e\ud800"


@pytest.mark.parametrize("format_", ["json", "console"])
def test_text_from_outside_cannot_forge_a_line(pipe: Reader, format_: str) -> None:
    log = pipe.configure(format_)
    log.info("job moved", name=FORGED, bare="x\x1b[2J", nested={"a": FORGED})
    logging.getLogger("httpx").warning("bad request %s", FORGED)
    (first, second) = pipe.lines()
    assert (first + second).isprintable()


def test_a_console_value_cannot_pass_for_another_field(pipe: Reader) -> None:
    pipe.configure("console").info("job moved", name='a" job="8', plain="word", empty="", path="a\\b")
    (line,) = pipe.lines()
    assert line.endswith(r"""name='a" job="8' plain=word empty= path=a\b""")


def test_console_traceback_is_indented(pipe: Reader) -> None:
    log = pipe.configure("console")
    try:
        fail(FORGED)
    except RuntimeError:
        log.exception("failed")
    first, *rest = pipe.text().rstrip("\n").split("\n")
    assert first.endswith("failed")
    assert rest
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_console_lines_are_aligned(pipe: Reader) -> None:
    log = pipe.configure("console")
    log.info("job moved", job=7)
    log.warning("delivery failed", job=8)
    first, second = pipe.lines()
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[info     \] job moved  ", first)
    assert first.index("job=7") == second.index("job=8")


def test_auto_is_json_into_a_pipe(pipe: Reader) -> None:
    pipe.configure("auto").info("hello")
    assert pipe.records()[0]["event"] == "hello"


@pytest.mark.parametrize(("environ", "coloured"), [({}, True), ({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False)])
def test_auto_is_console_with_colour_on_a_terminal(
    terminal: Reader, environ: dict[str, str], *, coloured: bool
) -> None:
    terminal.configure("auto", environ=environ).info("hello", job=7)
    text = terminal.text()
    assert "hello" in text
    assert ("\x1b[" in text) is coloured


def test_console_into_a_pipe_has_no_colour(pipe: Reader) -> None:
    pipe.configure("console").error("hello")
    assert "\x1b" not in pipe.text()


def test_journal_gets_a_priority_per_line_and_no_time(pipe: Reader) -> None:
    log = pipe.configure("auto", "debug", environ=pipe.journal)
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("hello")
    try:
        fail("two\nlines")
    except RuntimeError:
        log.exception("failed")
    lines = pipe.lines()
    assert [line.rstrip() for line in lines[:5]] == [
        "<7>[debug    ] hello",
        "<6>[info     ] hello",
        "<4>[warning  ] hello",
        "<3>[error    ] hello",
        "<2>[critical ] hello",
    ]
    assert all(line.startswith("<3>") for line in lines[5:])


def test_json_into_the_journal_has_its_priority_in_front(pipe: Reader) -> None:
    pipe.configure("json", environ=pipe.journal).error("hello")
    (line,) = pipe.lines()
    assert line.startswith("<3>")
    assert json.loads(line.removeprefix("<3>"))["event"] == "hello"


def test_an_inherited_journal_variable_does_not_count(pipe: Reader) -> None:
    pipe.configure("auto", environ={"JOURNAL_STREAM": "1:2"}).info("hello")
    assert pipe.records()[0]["event"] == "hello"


def test_libraries_log_from_warning_on(pipe: Reader) -> None:
    pipe.configure(level="debug")
    logging.getLogger("httpx").info("GET https://example.com/secret")
    logging.getLogger("apscheduler.scheduler").warning("job %s missed", "tick")
    (record,) = pipe.records()
    assert (record["level"], record["event"]) == ("warning", "library_message")
    assert (record["logger"], record["message"]) == ("apscheduler.scheduler", "job tick missed")


def test_apprise_is_kept_apart(pipe: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    pipe.configure()
    logging.getLogger("apprise").error("slack://secret")
    assert pipe.lines() == []
    assert capfd.readouterr().err == ""


def test_configuring_again_writes_each_line_once(pipe: Reader) -> None:
    pipe.configure()
    pipe.end()
    pipe.configure().info("ours")
    logging.getLogger("asyncio").error("theirs")
    assert [r.get("message", r["event"]) for r in pipe.records()] == ["ours", "theirs"]


def test_lines_after_the_end_are_dropped(pipe: Reader, capfd: pytest.CaptureFixture[str]) -> None:
    log = pipe.configure()
    pipe.end()
    log.error("late")
    logging.getLogger("asyncio").error("late")
    assert pipe.lines() == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ended", [False, True])
def test_stopped_reader_blocks_nothing_and_gets_a_count(pipe: Reader, *, ended: bool) -> None:
    log = pipe.configure()
    for number in range(12_000):
        log.info("flood", number=number, padding="." * 100)
    if ended:
        pipe.end(patience=0.01)
    got = []
    for line in pipe.read_for_ever():
        got.append(json.loads(line))
        if got[-1]["event"] != "flood":
            break
    notice = got.pop()
    assert notice["level"] == "warning"
    assert notice["event"] == "log_lines_dropped"
    numbers = [record["number"] for record in got]
    assert numbers == sorted(set(numbers))
    assert len(got) + notice["count"] == 12_000


def test_closed_reader_raises_nothing(pipe: Reader) -> None:
    log = pipe.configure()
    log.info("one")
    pipe.leave()
    log.info("two")
    pipe.end()
    assert not any(thread.name == "log" for thread in threading.enumerate())


STUCK = """
import os, sys, structlog
from gemwatch.app import logs
from gemwatch.core.secrets import Secrets
log = logs.configure("info", "json", Secrets())
for _ in range(2000):
    structlog.get_logger().info("flood", padding="." * 100)
log.close(0.01)
print("ended")
"""


def test_program_with_stuck_standard_error_still_ends() -> None:
    out, inward = os.pipe()
    result = subprocess.run(
        [sys.executable, "-c", STUCK], stdout=subprocess.PIPE, stderr=inward, timeout=30, check=False
    )
    os.close(inward)
    os.close(out)
    assert (result.returncode, result.stdout) == (0, b"ended\n")


OTHERS = """
import logging, warnings
from gemwatch.app import logs
from gemwatch.core.secrets import Secrets
log = logs.configure("info", "json", Secrets())
warnings.warn("careful")
logging.getLogger("asyncio").error("wrong %d", "arguments")
log.close()
"""


def test_python_warnings_are_log_lines() -> None:
    result = subprocess.run([sys.executable, "-c", OTHERS], capture_output=True, timeout=30, check=True)
    warning, mistake = (json.loads(line) for line in result.stderr.splitlines())
    assert (warning["level"], warning["logger"]) == ("warning", "py.warnings")
    assert "careful" in warning["message"]
    assert (mistake["level"], mistake["message"]) == ("error", "wrong %d")
