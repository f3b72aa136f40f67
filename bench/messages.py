"""The time from the answer with a job's end to the message: for single jobs, and for 5 000 in the same second."""

import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path

from bench.answers import World, answering
from bench.daemon import FIRST_JOB, Installation, jobs
from bench.figures import Figure, between, bucket_quantile, buckets_of, quantile
from bench.processes import wait_for

_JOBS = 1_000
_ENDS, _OTHERS, _EVERY = 5_000, 1_000, 5
_EVENT = re.compile(r"\bgw-([0-9]+)\b")
_ID = re.compile(rf"\b{str(FIRST_JOB)[:4]}[0-9]{{5}}\b")
_LATENESS = "gemwatch_poll_lateness_seconds"


def single(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """Jobs that end one by one among 1 000: from the moment the answer was sent to the moment the sink is called."""
    part, count = f"a job of {_JOBS} ends", 40 if quick else 100
    with answering(World()) as world:
        installation = Installation(folder, world.url, world.sink)
        installation.configure(jobs(_JOBS), "5s")
        with installation.daemon() as daemon:
            wait_for(lambda: not daemon.unseen(), "every job to be observed once", every=0.5)
            taken = [one_end(world) for _ in range(count)]
    yield [
        Figure(
            part=part,
            what="seen to message p50",
            value=1000 * quantile(taken, 0.5),
            unit="ms",
            most=20,
            scales="wall",
        ),
        Figure(
            part=part,
            what="seen to message p95",
            value=1000 * quantile(taken, 0.95),
            unit="ms",
            most=100,
            scales="wall",
        ),
        Figure(part=part, what="seen to message, longest", value=1000 * max(taken), unit="ms"),
        Figure(part=part, what="ends measured", value=count),
    ]


def one_end(world: World) -> float:
    """End the next requested job. Returns the seconds from that answer to the message."""
    known, messages = len(world.ended_at), len(world.messages)
    world.ends_next = 1
    wait_for(lambda: len(world.ended_at) > known, "the next poll", every=0.002)
    job, at = next(reversed(world.ended_at.items()))
    wait_for(lambda: any(str(job) in one.text for one in world.messages[messages:]), "the message")
    time.sleep(0.1)
    return next(one.at for one in world.messages[messages:] if str(job) in one.text) - at


def storm(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: ARG001, FBT001 (the shape of a part)
    """5 000 jobs end in the same second, and the sink needs 50 ms per message. The other jobs are still polled."""
    with answering(World(takes=0.05)) as world:
        installation = Installation(folder, world.url, world.sink)
        installation.configure(jobs(_ENDS + _OTHERS), f"{_EVERY}s")
        with installation.daemon() as daemon:
            wait_for(lambda: not daemon.unseen(), "every job to be observed once", every=0.5)
            time.sleep(2 * _EVERY)  # until the polls of the start have spread
            before, end = buckets_of(daemon.metrics(), _LATENESS), time.monotonic()
            world.ended.update(jobs(_ENDS))
            wait_for(lambda: len(_ids_sent(world)) >= _ENDS, "every end to be reported", every=0.2)
            last = world.messages[-1].at
            time.sleep(2)  # to catch messages that should not come
            late = between(before, buckets_of(daemon.metrics(), _LATENESS))
    yield _storm_figures(world, end, last, late)


def _ids_sent(world: World) -> set[str]:
    return {job for message in list(world.messages) for job in _ID.findall(message.text)}


def _storm_figures(world: World, end: float, last: float, late: dict[float, float]) -> list[Figure]:
    part, seen = f"{_ENDS} jobs end at once", max(world.ended_at.values())
    events = [event for message in world.messages for event in _EVENT.findall(message.text)]
    others = [world.polls[job] for job in range(FIRST_JOB + _ENDS, FIRST_JOB + _ENDS + _OTHERS)]
    pauses = [b - a for times in others for a, b in itertools.pairwise(times) if end <= b <= last]
    return [
        Figure(part=part, what="the last message after", value=last - end, unit="s", most=30, scales="wall"),
        Figure(part=part, what="of that until the last end was seen", value=seen - end, unit="s"),
        Figure(part=part, what="messages", value=len(world.messages)),
        Figure(part=part, what="ends reported", value=len(_ids_sent(world)), least=_ENDS),
        Figure(part=part, what="events sent twice", value=len(events) - len(set(events)), most=0),
        Figure(
            part=part,
            what="lateness p99 of all polls in that time, at most",
            value=bucket_quantile(late, 0.99),
            unit="s",
        ),
        Figure(
            part=part,
            what="longest pause of another job, polled each 5 s",
            value=max(pauses, default=float("nan")),
            unit="s",
            most=_EVERY * 1.1 + 1,
            scales="wall",
            fixed=_EVERY * 1.1,  # the interval and its jitter
        ),
    ]
