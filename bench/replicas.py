"""Daemons on PostgreSQL: what polls cost next to SQLite, with several replicas, and how fast one takes over."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
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
        with nginx(folder / "nginx") as api:
            yield from _daemons(folder, api, server, quick=quick)
        yield _after_kill(folder, server)


@dataclass(frozen=True, slots=True)
class Used:
    """CPU seconds for 1 000 polls: of all daemons, and of the database server."""

    daemons: float
    server: float


def _daemons(folder: Path, api: Nginx, server: Server, *, quick: bool) -> Iterator[list[Figure]]:
    """The load grows with the number of replicas, as it would with a core for each of them.

    One and two are measured in turn, and compared round by round: a busy minute affects both.
    """
    part = f"{_EACH} jobs each {_EVERY} s for each daemon"
    file = _measure(folder / "file", api, None, 1)
    yield [Figure(part=part, what="SQLite: CPU for 1 000 polls", value=file.daemons, unit="s")]
    found: dict[int, list[Used]] = {number: [] for number in range(1, _MOST + 1)}
    for turn in range(1 if quick else 3):
        for number in (1, 2):
            found[number].append(_measure(folder / f"{number}-{turn}", api, server, number))
    found[_MOST].append(_measure(folder / f"{_MOST}", api, server, _MOST))
    for number, used in found.items():
        times = [number * one.daemons / of.daemons for one, of in zip(found[1], used, strict=False)]
        cpu, bar = f"{number} on PostgreSQL: CPU for 1 000 polls", {"least": 1.8} if number == 2 else {}
        yield [
            of_rounds(part, cpu, [one.daemons for one in used], "s"),
            of_rounds(part, f"{number} on PostgreSQL: the server's CPU for them", [one.server for one in used], "s"),
            of_rounds(part, f"{number} on PostgreSQL: polls with a core each, against one", times, "x", **bar),
        ]


def _measure(folder: Path, api: Nginx, server: Server | None, number: int) -> Used:
    with ExitStack() as stack:
        url = None
        if server is not None:
            url = server.url(server.create(f"daemons_{folder.name.replace('-', '_')}"))
        daemons = [
            stack.enter_context(
                _installation(folder / str(n), api.url, url, count=number * _EACH, every=_EVERY).daemon()
            )
            for n in range(number)
        ]
        wait_for(lambda: not daemons[0].unseen(), "every job to be observed once", every=1)
        time.sleep(_SETTLE)
        served, used = api.served(), _used(daemons)
        server_used = server.used() if server else 0.0
        time.sleep(_MEASURED)
        thousands = (api.served() - served - 1) / 1000
        server_used = (server.used() if server else 0.0) - server_used
        return Used((_used(daemons) - used) / thousands, server_used / thousands)


def _used(daemons: list[Installation]) -> float:
    return sum(run_seconds(daemon.pid) for daemon in daemons)


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
