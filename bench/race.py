"""Full speed: measures the daemon and the bare loops in turn, in several rounds, while the others are paused.

Each is measured in the same way while it runs: the server's count of requests and the kernel's CPU time, between the
same two moments. A signal pauses the others, so that they take no CPU time and need no restart.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.daemon import Installation, environment, jobs
from bench.figures import Figure, of_rounds, total
from bench.nginx import Nginx, nginx
from bench.processes import cpu_seconds, pinned, running, wait_for

_SETTLE = 0.4  # seconds after a racer was resumed, until the caches are warm; the backlog takes less
FULL_FROM = 10_000  # jobs: then more is always due than can be polled
OURS, SAME, PLAIN = "gemwatch", "same client", "plain httpx"
PACED = "same client, same pace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """The work of one racer in one round."""

    requests: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds

    @property
    def share(self) -> float:
        """Its share of a core. Below 1 if other processes use the core or if it waits."""
        return self.cpu / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds for 1 000 requests."""
        return 1000 * self.cpu / self.requests


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """A course: a number of watched jobs, and the share of transitions among the polls. `plain`: httpx with its own
    pool runs too."""

    jobs: int
    transitions: float
    rounds: int
    seconds: float
    plain: bool = False

    @property
    def full(self) -> bool:
        """Whether more jobs are due per second than can be polled: otherwise the speed means nothing."""
        return self.jobs >= FULL_FROM

    @property
    def part(self) -> str:
        return f"{self.jobs} jobs, {100 * self.transitions:g} % transitions"


def race(folder: Path, course: Course) -> list[Figure]:
    """Polls a second and CPU for 1 000 polls, compared with both bare loops."""
    with ExitStack() as stack:
        server = stack.enter_context(nginx(folder / "nginx", transitions=course.transitions))
        installation = Installation(folder / "daemon", server.url)
        installation.configure(jobs(course.jobs), "1s")
        daemon = stack.enter_context(installation.daemon(pin=True))
        wait_for(lambda: not daemon.unseen(), "every job to be seen once", every=1)
        loops = {SAME: ["aiohttp"], PLAIN: ["httpx"]} if course.plain else {SAME: ["aiohttp"]}
        if not course.full:
            loops[PACED] = ["aiohttp", str(_stretch(daemon.pid, server, course.seconds).rate)]
            os.kill(daemon.pid, signal.SIGCONT)
        racers = {OURS: daemon.pid, **stack.enter_context(_bare_loops(folder, server.url, loops))}
        for pid in racers.values():
            os.kill(pid, signal.SIGSTOP)
        before = _transitions_and_polls(daemon, racers)
        rounds = [_round(racers, server, course.seconds) for _ in range(course.rounds)]
        moved, polls = (b - a for a, b in zip(before, _transitions_and_polls(daemon, racers), strict=True))
    share = Figure(part=course.part, what="transitions seen", value=100 * moved / polls, unit="% of the polls")
    return [share, *_figures(course, rounds)]


@contextmanager
def _bare_loops(folder: Path, url: str, loops: Mapping[str, Sequence[str]]) -> Iterator[Mapping[str, int]]:
    with ExitStack() as stack:
        found = {}
        for name, (kind, *rate) in loops.items():
            command = pinned([sys.executable, "-m", "bench.bare", kind, url, *rate])
            found[name] = stack.enter_context(running(command, folder / f"{name}.log", environment())).pid
        time.sleep(2)  # for their imports and connections
        yield found


def _transitions_and_polls(daemon: Installation, racers: Mapping[str, int]) -> tuple[float, float]:
    os.kill(racers[OURS], signal.SIGCONT)
    page = daemon.metrics()
    os.kill(racers[OURS], signal.SIGSTOP)
    return total(page, "gemwatch_transitions_total"), total(page, "gemwatch_polls_total")


def _round(racers: Mapping[str, int], server: Nginx, seconds: float) -> dict[str, Stretch]:
    return {name: _stretch(pid, server, seconds) for name, pid in racers.items()}


def _stretch(pid: int, server: Nginx, seconds: float) -> Stretch:
    os.kill(pid, signal.SIGCONT)
    try:
        time.sleep(_SETTLE)
        start, served, cpu = time.monotonic(), server.served(), cpu_seconds(pid)
        time.sleep(seconds)
        end, served_then, cpu_then = time.monotonic(), server.served(), cpu_seconds(pid)
    finally:
        os.kill(pid, signal.SIGSTOP)
    requests = served_then - served - 1  # reading the count is a request too
    if not requests:
        raise RuntimeError("one of the racers does not run any more; its log is in the bench's folder")
    return Stretch(requests=requests, seconds=end - start, cpu=cpu_then - cpu)


def _figures(course: Course, rounds: list[dict[str, Stretch]]) -> list[Figure]:
    part = course.part
    bar = {"least": 0.80 if course.transitions < 0.05 else 0.65} if course.full else {}
    rates = {name: [one[name].rate for one in rounds] for name in rounds[0]}
    costs = {name: [one[name].cost for one in rounds] for name in rounds[0]}
    speed = [of_rounds(part, "polls a second, against the same client", _ratios(rates, SAME), "x", **bar)]
    if course.full:
        cost = [of_rounds(part, "CPU, against the same client", _ratios(costs, SAME), "x", most=0.9)]
    else:
        cost = [
            of_rounds(part, "CPU, against the same client at full speed", _ratios(costs, SAME), "x"),
            of_rounds(part, "CPU, against the same client at the same pace", _ratios(costs, PACED), "x", most=0.9),
        ]
    if course.plain:
        speed += [of_rounds(part, "polls a second, against plain httpx", _ratios(rates, PLAIN), "x", least=3)]
        cost += [of_rounds(part, "CPU, against plain httpx", _ratios(costs, PLAIN), "x")]
    return [
        *(of_rounds(part, f"polls a second, {name}", values) for name, values in rates.items()),
        *speed,
        *(of_rounds(part, f"CPU for 1 000 polls, {name}", values, "s") for name, values in costs.items()),
        *cost,
        *(of_rounds(part, f"share of a core had, {name}", [one[name].share for one in rounds]) for name in costs),
    ]


def _ratios(values: Mapping[str, list[float]], other: str) -> list[float]:
    """Our values divided by the other's, round by round, because both have the same load in a round."""
    return [ours / theirs for ours, theirs in zip(values[OURS], values[other], strict=True)]
