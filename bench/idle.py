"""What a daemon costs that has nothing to do: one job every minute, and a web server that nobody asks."""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.answers import World, answering
from bench.daemon import Installation, jobs
from bench.figures import Figure
from bench.processes import run_seconds, switches, wait_for

_SETTLE, _MEASURED = 5.0, 40.0  # seconds


def idle(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    part = "1 job each 60 s, web server open"
    with answering(World()) as world:
        installation = Installation(folder / "daemon", world.url, world.sink)
        installation.configure(jobs(1), "60s")
        with installation.daemon() as daemon:
            wait_for(lambda: not daemon.unseen(), "the job to be observed", every=1)
            time.sleep(_SETTLE)
            used, woken, start = run_seconds(daemon.pid), switches(daemon.pid), time.monotonic()
            time.sleep(_MEASURED / 2 if quick else _MEASURED)
            used, woken = run_seconds(daemon.pid) - used, switches(daemon.pid) - woken
            seconds = time.monotonic() - start
    yield [
        Figure(part=part, what="of a core", value=100 * used / seconds, unit="%", most=0.3, scales="cpu"),
        Figure(part=part, what="wake-ups a second, of all threads", value=woken / seconds),
    ]
