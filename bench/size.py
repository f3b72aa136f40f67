"""The cost of a long watch list: memory, the start, and a reload during polling."""

import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.daemon import Installation, jobs
from bench.figures import Figure, of_rounds
from bench.nginx import Nginx, nginx
from bench.processes import cpu_seconds, rss_kib, wait_for

_FEW, _SOME, _MANY, _LONG, _BUSY = 5, 100, 10_000, 100_000, 2_000


def size(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """Resident memory with a few watches, and for each beyond 100, which use all connections, after all were seen.
    The start and the reload with 100 000 watches in the file, of which 2 000 keep it busy."""
    with nginx(folder / "nginx", noting=True) as server:
        few = _rss_with(folder / "few", server, _FEW)
        yield [Figure(part="memory", what=f"with {_FEW} watches", value=few / 1024, unit="MiB", most=130)]
        some = _rss_with(folder / "some", server, _SOME)
        yield _memory(some, _rss_with(folder / "many", server, _MANY), _MANY)
        yield from _long(folder / "long", server, some, rounds=2 if quick else 3)


def _memory(some: float, many: float, count: int) -> list[Figure]:
    each = (many - some) / (count - _SOME)
    return [
        Figure(part="memory", what=f"with {count} watches", value=many / 1024, unit="MiB"),
        Figure(part="memory", what=f"for each of {count}", value=each, unit="KiB", most=1),
    ]


def _rss_with(folder: Path, server: Nginx, count: int) -> float:
    installation = Installation(folder, server.url)
    installation.configure(jobs(count), "10m")
    with installation.daemon() as daemon:
        return _rss(daemon)


def _rss(daemon: Installation) -> float:
    wait_for(lambda: not daemon.unseen(), "every job to be observed once", every=1)
    time.sleep(3)
    return median(_each(0.2, 10, lambda: rss_kib(daemon.pid)))


def _each(pause: float, times: int, sample: Callable[[], float]) -> list[float]:
    found = []
    for _ in range(times):
        found.append(sample())
        time.sleep(pause)
    return found


def _long(folder: Path, server: Nginx, some: float, *, rounds: int) -> Iterator[list[Figure]]:
    part = f"{_LONG} watches"
    installation = Installation(folder, server.url)
    installation.configure(_entries(0), "10h")
    yield [
        Figure(part=part, what="first start to ready", value=_start(installation), unit="s", most=10, scales="wall")
    ]
    start = time.monotonic()
    with installation.daemon() as daemon:
        started = time.monotonic() - start
        yield _memory(some, _rss(daemon), _LONG)
        quiet = _longest_gap(server, time.time() - 5, time.time())  # while the memory was measured
        runs = [_reload(daemon, server, number, by_signal=True) for number in range(1, rounds + 1)]
        noticed = [_reload(daemon, server, rounds + number, by_signal=False) for number in range(1, rounds)]
    yield [
        Figure(part=part, what="further start to ready", value=started, unit="s", most=10, scales="wall"),
        of_rounds(
            part, "SIGHUP to applied, one line changed", [one.took for one in runs], "s", most=5, scales="wall"
        ),
        of_rounds(
            part,
            "changed file to applied, one line changed",
            [one.took for one in noticed],
            "s",
            most=5,
            scales="wall",
        ),
        Figure(part=part, what="longest gap between two polls before", value=quiet, unit="s"),
        of_rounds(part, "longest gap between two polls during it", [one.gap for one in (*runs, *noticed)], "s"),
        of_rounds(part, "CPU from SIGHUP to applied, polls included", [one.cpu for one in runs], "s"),
    ]


def _entries(number: int) -> Iterator[int | str]:
    """The watch list; its last line differs from one number to the next."""
    ids: Sequence[int] = jobs(_LONG)
    yield from (f"{{job: {job}, every: 2s}}" for job in ids[:_BUSY])
    yield from ids[_BUSY:-1]
    yield f"{{job: {ids[-1]}, name: edit {number}}}"


def _start(installation: Installation) -> float:
    start = time.monotonic()
    with installation.daemon():
        return time.monotonic() - start


@dataclass(frozen=True, slots=True)
class Reload:
    """The seconds until an edit was applied, the CPU seconds, and the longest time without a poll between the edit
    and two seconds later."""

    took: float
    cpu: float
    gap: float


def _reload(daemon: Installation, server: Nginx, number: int, *, by_signal: bool) -> Reload:
    applied, begun = daemon.applied(), time.time()
    daemon.configure(_entries(number), "10h")
    start, used = time.monotonic(), cpu_seconds(daemon.pid)
    if by_signal:
        os.kill(daemon.pid, signal.SIGHUP)
    wait_for(lambda: daemon.applied() > applied, "the edit to be applied")
    took, used = time.monotonic() - start, cpu_seconds(daemon.pid) - used
    time.sleep(2)
    return Reload(took, used, _longest_gap(server, begun, time.time()))


def _longest_gap(server: Nginx, start: float, end: float) -> float:
    within = [at for at in server.moments() if start <= at <= end]
    return max((b - a for a, b in itertools.pairwise(within)), default=float("nan"))
