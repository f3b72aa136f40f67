"""Processes under measurement: their cores, their CPU time, and pausing them while another one is measured."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

PATIENCE = 600.0  # seconds until the bench gives up waiting
T = TypeVar("T")
_TICKS = os.sysconf("SC_CLK_TCK")
_MEASURED, _ASIDE = "0", "1"  # cores


def cpu_seconds(pid: int) -> float:
    """The CPU time of the process so far, user and system, of all its threads, to 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def waited_seconds(pid: int) -> float:
    """The CPU time of its ended child processes."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / _TICKS


def run_seconds(pid: int) -> float:
    """The same from the scheduler, exact: the kernel's ticks miss work that is shorter than they are."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in _tasks(pid)) / 1e9


def switches(pid: int) -> int:
    """How often the threads of the process went to sleep so far."""
    lines = (line for task in _tasks(pid) for line in (task / "status").read_text().splitlines())
    return sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:"))


def _tasks(pid: int) -> Iterator[Path]:
    return Path(f"/proc/{pid}/task").iterdir()


def rss_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def pinned(command: Sequence[str], *, aside: bool = False) -> list[str]:
    """The command, pinned to one of two cores: racers to the first, everything `aside` to the other."""
    if len(os.sched_getaffinity(0)) < 2 or shutil.which("taskset") is None:
        return list(command)
    return ["taskset", "--cpu-list", _ASIDE if aside else _MEASURED, *command]


def others_cores(before: float, ours: float, seconds: float) -> float:
    """How many cores other programs kept busy. `before` and `ours`: the next two functions' values at the start."""
    return max(0.0, (busy_seconds() - before - (used_seconds() - ours)) / seconds)


def busy_seconds() -> float:
    """The CPU time of all programs on this machine."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]]
    idle, steal = fields[3] + fields[4], fields[7]
    return (sum(fields[:8]) - idle - steal) / _TICKS


def used_seconds() -> float:
    """The CPU time of this process and of its ended child processes."""
    return sum(os.times()[:4])


@contextmanager
def running(
    command: Sequence[str], log: Path, env: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """Runs the process during a `with`. Its output goes to a file."""
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
    """Wait until the condition is true, and return its value."""
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"gave up waiting for {what}")
        time.sleep(every)
    return found
