"""The jobs of an account behind a scripted API, and a daemon with rules that find them."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from gemwatch.core.events import Target
from gemwatch.core.settings import Place, Rule, Watch
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem, document
from support.inbox import Inbox
from support.rig import Rig, running, settings_for

LIST_EVERY = timedelta(minutes=5)
RULE = Rule(input="nl_*.parquet", watch=Watch(job_id=0, name="{input}"))


class Account:
    """The jobs of an account, in the list and one by one."""

    def __init__(self, gem: ScriptedGem) -> None:
        self.gem = gem
        self.jobs: dict[int, dict[str, Any]] = {}
        gem.lists = self.listed

    def has(self, job_id: int, status: str, requested_at: datetime, **more: Any) -> None:
        fields = {"input_filename": f"nl_{job_id}.parquet", "requested_at": requested_at.isoformat(), **more}
        self.jobs[job_id] = document(job_id, status, **fields)
        self.gem.answers(job_id, self.jobs[job_id])

    def listed(self, path: str) -> Answer:
        (job_type,) = parse_qs(urlsplit(path).query)["job_type"]
        return listing(job for job in self.jobs.values() if job["job_type"] == job_type)


def listing(jobs: Iterable[Mapping[str, Any]]) -> Answer:
    return Answer(body=json.dumps({"jobs": list(jobs)}).encode())


@asynccontextmanager
async def discovering(
    gem: ScriptedGem, inbox: Inbox, folder: Place, clock: FakeClock, *rules: Rule
) -> AsyncIterator[Rig]:
    settings = settings_for(gem, folder, [Target(name="team", url=inbox.target_url())], [])
    settings = replace(settings, discover=rules or (RULE,))
    async with running(settings, clock) as rig:
        apply(rig)
        yield rig


def apply(rig: Rig, *watches: Watch, rules: tuple[Rule, ...] | None = None) -> None:
    in_force = rig.active.settings.discover if rules is None else rules
    rig.active.settings = replace(rig.active.settings, discover=in_force)
    rig.watch_list.apply(watches, rig.settings.poll.every, rig.steady.now(), in_force)


async def rounds(rig: Rig, number: int = 1) -> None:
    for _ in range(number):
        rig.clock.advance(LIST_EVERY.total_seconds())
        await rig.sweep()
        await rig.poll()
        await rig.deliver()


def watched(rig: Rig) -> dict[int, str | None]:
    return {job["job_id"]: job["name"] for job in rig.records.status()["jobs"] if job["watched"]}
