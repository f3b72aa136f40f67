"""`python -m bench [PART ...] [--quick] [--json FILE]`: measure, show a table; exit code 1 if a bar is missed."""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench import nginx, processes
from bench.crowds import crowds, files, rows
from bench.estimates import estimates
from bench.figures import Figure, Machine, as_json, table
from bench.idle import idle
from bench.lists import lists
from bench.machine import machine
from bench.messages import single, storm
from bench.paced import paced
from bench.race import FULL_FROM, Course, race
from bench.replicas import replicas
from bench.size import size
from bench.sweep import sweep

_COURSES = [(1_000, 0.01), (10_000, 0.0), (10_000, 0.01), (10_000, 0.1), (100_000, 0.01)]  # jobs, transitions
_AGAINST_PLAIN = (10_000, 0.01)
Part = Callable[[Path, bool], Iterator[list[Figure]]]


def _throughput(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    for number, (jobs, share) in enumerate([_AGAINST_PLAIN] if quick else _COURSES):
        plain = (jobs, share) == _AGAINST_PLAIN
        rounds, seconds = (9, 1.2) if jobs >= FULL_FROM else (5, 2.5)
        course = Course(jobs=jobs, transitions=share, rounds=3 if quick else rounds, seconds=seconds, plain=plain)
        yield race(folder / str(number), course)


PARTS: dict[str, Part] = {
    "throughput": _throughput,
    "paced": paced,
    "idle": idle,
    "message": single,
    "storm": storm,
    "size": size,
    "sweep": sweep,
    "lists": lists,
    "estimates": estimates,
    "crowds": crowds,
    "rows": rows,
    "files": files,
    "postgresql": replicas,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; default: all")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter rounds: for tuning, not for reporting"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures to this file")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known are {', '.join(PARTS)}")
    if nginx.installed() is None:
        parser.error("nginx is not installed (apt-get install nginx-light)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the started processes end
    figures = list(_measure(given.parts or list(PARTS), quick=given.quick))
    if given.json:
        given.json.write_text(json.dumps(as_json(figures), indent=1) + "\n")
    missed = [figure for figure in figures if figure.clears is False]
    print(f"{len(missed)} bars missed" if missed else "every bar cleared")
    return 1 if missed else 0


def _measure(parts: list[str], *, quick: bool) -> Iterator[Figure]:
    for name in parts:
        start, busy, ours = time.monotonic(), processes.busy_seconds(), processes.used_seconds()
        before = machine()
        with tempfile.TemporaryDirectory(prefix=f"gemwatch-bench-{name}-") as folder:
            for measured in PARTS[name](Path(folder), quick):
                now = machine() if any(figure.scales for figure in measured) else before
                figures = _scaled(measured, before, now)
                before = now
                print(table(figures), "\n", flush=True)
                yield from figures
        seconds = time.monotonic() - start
        others = processes.others_cores(busy, ours, seconds)
        print(f"({name}: {seconds:.0f} s, in which other programs kept {others:.1f} cores busy)\n", flush=True)


def _scaled(figures: list[Figure], before: Machine, after: Machine) -> list[Figure]:
    """Scales the bars to the speed and load of this machine: the bare loop ran before and after."""
    if all(figure.scales is None for figure in figures):
        return figures
    mean = Machine(cpu=(before.cpu + after.cpu) / 2, wall=(before.wall + after.wall) / 2)
    print(f"(1 000 requests of the bare loop: {mean.cpu:.2f} s of CPU, {mean.wall:.2f} s of time)")
    return [figure.on(mean) for figure in figures]


if __name__ == "__main__":
    sys.exit(main())
