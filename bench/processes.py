"""Processes under measurement: where they run, what they have used, and holding them while another is measured."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

PATIENCE = 600.0  # seconds: when the bench gives up on something that ought to come
T = TypeVar("T")
_TICKS = os.sysconf("SC_CLK_TCK")
_MEASURED, _ASIDE = "0", "1"  # cores


def cpu_seconds(pid: int) -> float:
    """What the process has used so far, user and system, in all its threads; exact to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def pinned(command: Sequence[str], *, aside: bool = False) -> list[str]:
    """The command, kept to one core where there are two: racers on the first, everything `aside` on the other."""
    if len(os.sched_getaffinity(0)) < 2 or shutil.which("taskset") is None:
        return list(command)
    return ["taskset", "--cpu-list", _ASIDE if aside else _MEASURED, *command]


def others_cores(before: float, ours: float, seconds: float) -> float:
    """How many cores other programs kept busy: `before` and `ours` are what the next two gave at the start."""
    return max(0.0, (busy_seconds() - before - (used_seconds() - ours)) / seconds)


def busy_seconds() -> float:
    """CPU time that all programs of this machine have used."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle, steal = fields[3] + fields[4], fields[7]
    return (sum(fields[:8]) - idle - steal) / _TICKS


def used_seconds() -> float:
    """CPU time of this process and of those it started, once they have ended."""
    return sum(os.times()[:4])


@contextmanager
def running(
    command: Sequence[str], log: Path, env: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The process for the length of a `with`; what it says goes to a file."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], T], what: str, every: float = 0.02) -> T:
    """What the condition gives once that is true."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"gave up waiting for {what}")
        time.sleep(every)
    return found
