"""The load of an ordinary large installation: 10 000 jobs, each polled once a minute."""

import time
from collections.abc import Iterator
from pathlib import Path

from bench.daemon import Installation, jobs
from bench.figures import Figure, between, bucket_quantile, buckets_of, total
from bench.nginx import nginx
from bench.processes import cpu_seconds, wait_for

_JOBS, _MINUTE = 10_000, 60.0
_LATENESS = "gemwatch_poll_lateness_seconds"


def paced(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """Lateness from due to sent, from the daemon's own histogram, and its share of a core."""
    part = f"{_JOBS} jobs each 60 s"
    with nginx(folder / "nginx", transitions=0.01) as server:
        installation = Installation(folder / "daemon", server.url)
        # Start slowly: polled all at once, they would be due together for the first half hour.
        installation.max_rate = round(_JOBS / _MINUTE)
        installation.configure(jobs(_JOBS), "60s")
        with installation.daemon() as daemon:
            wait_for(lambda: not daemon.unseen(), "every job to be observed once", every=1)
            installation.max_rate = 0
            installation.configure(jobs(_JOBS), "60s")
            wait_for(lambda: daemon.applied() == 2, "the limit to be lifted", every=0.5)
            time.sleep(5)
            before, used, start = daemon.metrics(), cpu_seconds(daemon.pid), time.monotonic()
            time.sleep(_MINUTE / 2 if quick else _MINUTE)
            used, seconds, after = cpu_seconds(daemon.pid) - used, time.monotonic() - start, daemon.metrics()
    polls = total(after, "gemwatch_polls_total") - total(before, "gemwatch_polls_total")
    late = between(buckets_of(before, _LATENESS), buckets_of(after, _LATENESS))
    yield [
        Figure(part=part, what="polls a second", value=polls / seconds),
        Figure(part=part, what="lateness p50, at most", value=bucket_quantile(late, 0.5), unit="s"),
        Figure(part=part, what="lateness p95, at most", value=bucket_quantile(late, 0.95), unit="s"),
        Figure(
            part=part,
            what="lateness p99, at most",
            value=bucket_quantile(late, 0.99),
            unit="s",
            most=1,
            scales="wall",
        ),
        Figure(part=part, what="of a core", value=100 * used / seconds, unit="%", most=10, scales="cpu"),
    ]
