"""One list instead of 10 000 details: requests and CPU for each round of all jobs, with and without `poll.sweep`."""

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from bench.daemon import Installation, jobs
from bench.figures import Figure
from bench.nginx import JOB, Nginx, nginx
from bench.processes import cpu_seconds, wait_for
from gemwatch.core.listing import in_turn

_JOBS, _EVERY = 10_000, 10
_IN_TURN = in_turn(_JOBS, timedelta(seconds=_EVERY))  # polls after each list, regardless of its content


def sweep(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """All jobs are of one type and unfinished; the list and the details say the same."""
    cycles = 2 if quick else 3
    with nginx(folder / "nginx") as server:
        listed = ", ".join(JOB.format(id=job, status="REQUESTED") for job in jobs(_JOBS))
        (server.folder / "jobs.json").write_text(f'{{"jobs": [{listed}]}}')
        alone = _cycle(folder / "off", server, cycles, "off")
        swept = _cycle(folder / "auto", server, cycles, "auto")
    part = f"{_JOBS} jobs of one type each {_EVERY} s"
    yield [
        Figure(part=part, what="requests a round, details alone", value=alone[0]),
        Figure(part=part, what="requests a round, sweep, nothing changed", value=swept[0], most=1 + _IN_TURN + 1),
        Figure(part=part, what="CPU a round, details alone", value=alone[1], unit="s"),
        Figure(part=part, what="CPU a round, sweep", value=swept[1], unit="s"),
        Figure(part=part, what="CPU, sweep against details alone", value=swept[1] / alone[1], unit="x"),
    ]


def _cycle(folder: Path, server: Nginx, cycles: int, word: str) -> tuple[float, float]:
    """Requests and CPU seconds for one round of all jobs."""
    installation = Installation(folder, server.url)
    installation.configure(jobs(_JOBS), f"{_EVERY}s", sweep=word)
    with installation.daemon() as daemon:
        wait_for(lambda: not daemon.unseen(), "every job to be seen once", every=1)
        time.sleep(3 * _EVERY)  # until every job was in a list after its last poll
        served, used = server.served(), cpu_seconds(daemon.pid)
        time.sleep(cycles * _EVERY)
        used, served = cpu_seconds(daemon.pid) - used, server.served() - served - 1
    return served / cycles, used / cycles
