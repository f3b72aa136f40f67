"""Daemons on PostgreSQL: what polls cost next to SQLite, with several replicas, and how fast one takes over."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.answers import World, answering
from bench.daemon import Installation, jobs
from bench.database import Server, postgresql
from bench.figures import Figure, of_rounds
from bench.nginx import Nginx, nginx
from bench.processes import run_seconds, wait_for
from bench.stores import dead_rows, store_costs

_EACH, _EVERY = 3_000, 10  # the jobs of each replica, and the seconds between two polls of one
_SETTLE, _MEASURED = 10.0, 20.0  # seconds
_MOST = 3  # replicas
_TAKEN_OVER, _TAKEN_EVERY = 300, 5  # jobs of two replicas, of which one is killed


def replicas(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """All that concerns PostgreSQL."""
    with postgresql() as server:
        yield from store_costs(folder / "store", server, quick=quick)
        yield from dead_rows(server, quick=quick)
        yield from _daemons(folder, server, quick=quick)
        yield _after_kill(folder, server)


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds for 1 000 polls: of all daemons, and of the database server."""

    daemons: float
    server: float


def _daemons(folder: Path, server: Server, *, quick: bool) -> Iterator[list[Figure]]:
    """The load grows with the number of replicas, as it would with a core for each of them."""
    part = f"{_EACH} jobs each {_EVERY} s for each daemon"
    with _polling(folder / "file", None, 1) as file:
        yield [Figure(part=part, what="SQLite: CPU for 1 000 polls", value=_measure(file)[0].daemons, unit="s")]
    for number in range(1, _MOST + 1):
        name = f"{number} on PostgreSQL"
        with _polling(folder / f"{number}", server, number) as load:
            (used,) = _measure(load)
        yield [
            Figure(part=part, what=f"{name}: CPU for 1 000 polls", value=used.daemons, unit="s"),
            Figure(part=part, what=f"{name}: the server's CPU for them", value=used.server, unit="s"),
        ]
    times = _one_beside_two(folder, server, rounds=1 if quick else 5)
    yield [of_rounds(part, "2 on PostgreSQL: polls with a core each, against one", times, "x", least=1.8)]


def _one_beside_two(folder: Path, server: Server, *, rounds: int) -> list[float]:
    """How many times the polls of one daemon two make in the same CPU time of each.

    All of them run in the same seconds, so that a busy minute affects one and two alike.
    """
    with _polling(folder / "alone", server, 1) as alone, _polling(folder / "both", server, 2) as both:
        found = [_measure(alone, both) for _ in range(rounds)]
    return [2 * one.daemons / two.daemons for one, two in found]


@dataclass(frozen=True, slots=True)
class Polling:
    """Daemons with a store of their own, and their API."""

    daemons: list[Installation]
    api: Nginx
    server: Server | None

    def so_far(self) -> tuple[int, float, float]:
        """The polls, and the CPU seconds of the daemons and of the database server, until now."""
        used = sum(run_seconds(daemon.pid) for daemon in self.daemons)
        return self.api.served(), used, self.server.used() if self.server else 0.0

    def since(self, before: tuple[int, float, float]) -> Used:
        polls, daemons, server = (now - then for now, then in zip(self.so_far(), before, strict=True))
        thousands = (polls - 1) / 1000  # one request counted the others
        return Used(daemons / thousands, server / thousands)


@contextmanager
def _polling(folder: Path, server: Server | None, number: int) -> Iterator[Polling]:
    """Replicas that have polled each of their jobs."""
    url = server.url(server.create(f"daemons_{folder.name}")) if server is not None else None
    with nginx(folder / "nginx") as api, ExitStack() as stack:
        count = number * _EACH
        found = [_installation(folder / str(n), api.url, url, count=count, every=_EVERY) for n in range(number)]
        daemons = [stack.enter_context(one.daemon()) for one in found]
        wait_for(lambda: not daemons[0].unseen(), "every job to be observed once", every=1)
        time.sleep(_SETTLE)
        yield Polling(daemons, api, server)


def _measure(*loads: Polling) -> list[Used]:
    before = [one.so_far() for one in loads]
    time.sleep(_MEASURED)
    return [one.since(then) for one, then in zip(loads, before, strict=True)]


def _installation(
    folder: Path, url: str, store: str | None, *, count: int, every: int, sink: str | None = None
) -> Installation:
    installation = Installation(folder, url, sink)
    installation.store = store
    installation.configure(jobs(count), f"{every}s")
    return installation


def _after_kill(folder: Path, server: Server) -> list[Figure]:
    """One of two replicas is killed: until each job was polled again, of which one poll was due anyway."""
    with answering(World()) as world, ExitStack() as stack:
        url = server.url(server.create("killed"))
        first, _ = [
            stack.enter_context(
                _installation(
                    folder / f"killed-{n}", world.url, url, count=_TAKEN_OVER, every=_TAKEN_EVERY, sink=world.sink
                ).daemon()
            )
            for n in range(2)
        ]
        wait_for(lambda: len(world.polls) == _TAKEN_OVER, "every job to be polled once")
        time.sleep(_SETTLE)
        killed = time.monotonic()
        first.kill()
        wait_for(lambda: all(times[-1] > killed for times in list(world.polls.values())), "all jobs to be polled")
        waited = [min(at for at in times if at > killed) - killed for times in world.polls.values()]
        late = sum(one > 2 * _TAKEN_EVERY for one in waited)
    part = f"{_TAKEN_OVER} jobs each {_TAKEN_EVERY} s, one of two killed"
    return [
        Figure(part=part, what="until each was polled again, longest", value=max(waited), unit="s", most=60),
        Figure(part=part, what="jobs that it was just polling", value=late),
    ]
