"""A daemon that has seen many jobs has no more objects in memory than one that has seen a few."""

import gc
from collections.abc import Iterable
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Target
from support.clock import FakeClock
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.rig import Rig, running, settings_for

BATCH = 20  # jobs
_SHARED = (type, ModuleType, FunctionType, BuiltinFunctionType, CodeType, FrameType, Experience, FakeClock)


def reachable(roots: Iterable[Any]) -> int:
    """The objects that these refer to, without shared ones. `Experience` has its own test."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, _SHARED):
            continue
        seen.add(id(one))
        if isinstance(one, dict | list | set | tuple) or type(one).__module__.startswith(("gemwatch", "prometheus")):
            waiting.extend(gc.get_referents(one))
    return len(seen)


async def batch(rig: Rig, gem: ScriptedGem, number: int) -> int:
    """Watch jobs until they end, report and unwatch them. Returns how many objects the loops then refer to."""
    jobs = range(1 + number * BATCH, 1 + (number + 1) * BATCH)
    for job_id in jobs:
        gem.answers(job_id, "IN_PROGRESS", "SUCCESS")
    rig.watch(*jobs)
    await rig.poll(times=2)
    await rig.deliver(times=2, after=10)
    rig.watch()
    await rig.maintenance.round()
    roots = (rig.poller, rig.dispatcher, rig.lister, rig.maintenance, rig.health_monitor, rig.metrics, rig.active)
    return reachable(roots)


async def test_loops_keep_no_memory_of_many_jobs(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    targets = [Target(name="team", url=inbox.target_url())]
    async with running(settings_for(gem, tmp_path, targets), clock) as rig:
        counts = [await batch(rig, gem, number) for number in range(8)]
        assert len(rig.records.history()) == 8 * BATCH * 2
    assert min(counts) > 100
    assert max(counts[4:]) <= max(counts[:4]) + BATCH // 2, counts  # less than an object per job of one batch
