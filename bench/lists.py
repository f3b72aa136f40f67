"""A long list with a rule that matches a few of its jobs: CPU for each round, and whether polls stay on time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.daemon import FIRST_JOB, Installation
from bench.figures import Figure, between, bucket_quantile, buckets_of
from bench.nginx import JOB, Nginx, nginx
from bench.processes import cpu_seconds, wait_for

_LISTED, _MATCHING, _EVERY = 10_000, 300, 10
_REQUESTED = "2026-02-18T10:38:59.031762Z"  # in `JOB`
_RULE = '[{job_type: ROAD_MATCHING, input: "nl_*"}]'
_LATENESS = "gemwatch_poll_lateness_seconds"


def lists(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """The same jobs, found by a rule and named in the watch list; the difference is what the lists cost."""
    cycles = 2 if quick else 4
    with nginx(folder / "nginx") as server:
        (server.folder / "jobs.json").write_text(f'{{"jobs": [{", ".join(_entries())}]}}')
        named, _, _ = _cycle(folder / "named", server, cycles, rule=False)
        found, late, rounds = _cycle(folder / "found", server, cycles, rule=True)
    part = f"{_LISTED} listed, {_MATCHING} match, list and polls each {_EVERY} s"
    yield [
        Figure(part=part, what="CPU a list round", value=(found - named) / rounds, unit="s", most=1, scales="cpu"),
        Figure(part=part, what="lateness p99, at most", value=late, unit="s", most=1, scales="wall"),
    ]


def _entries() -> Iterator[str]:
    """Most jobs have ended and do not match; those that match were requested just now."""
    now = datetime.now(UTC).isoformat()
    for number in range(_LISTED):
        matches = number % (_LISTED // _MATCHING) == 0 and number < _MATCHING * (_LISTED // _MATCHING)
        entry = JOB.format(id=FIRST_JOB + number, status="REQUESTED" if matches else "SUCCESS")
        yield entry.replace('"roads_', '"nl_').replace(_REQUESTED, now) if matches else entry


def _cycle(folder: Path, server: Nginx, cycles: int, *, rule: bool) -> tuple[float, float, int]:
    """CPU seconds, lateness and number of lists, over some rounds of polls."""
    installation = Installation(folder, server.url)
    if rule:
        installation.keys = {"discover": _RULE}
    step = _LISTED // _MATCHING
    watched = [] if rule else [FIRST_JOB + step * number for number in range(_MATCHING)]
    installation.configure(watched, f"{_EVERY}s", list_every=f"{_EVERY}s")
    with installation.daemon() as daemon:
        wait_for(lambda: _seen(daemon) == _MATCHING, "every job to be seen once", every=1)
        time.sleep(_EVERY)
        before, used, listed = daemon.metrics(), cpu_seconds(daemon.pid), server.lists()
        time.sleep(cycles * _EVERY)
        after, used, listed = daemon.metrics(), cpu_seconds(daemon.pid) - used, server.lists() - listed
    late = between(buckets_of(before, _LATENESS), buckets_of(after, _LATENESS))
    return used, bucket_quantile(late, 0.99), listed


def _seen(daemon: Installation) -> float:
    return daemon.metrics().get(("gemwatch_jobs", 'status="REQUESTED"'), 0)
