"""Reloads in a row on the running engine, a third of them broken, and what must be true after each."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from gemwatch.app.configuration import Configuration
from gemwatch.engine.reloader import Reloader
from support.clock import FakeClock
from support.gem import KEY, TOKEN, ScriptedGem
from support.inbox import Inbox
from support.rig import EVERY, Rig, reloader, running
from torture.edits import KEPT, Author


@dataclass(kw_only=True)
class Tally:
    reloads: int = 0
    ways: Counter[str] = field(default_factory=Counter)
    polls: int = 0
    faults: list[str] = field(default_factory=list)


class LogCapture:
    """A configuration that remembers what was last read of it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration, self.last = configuration, configuration.first

    async def read(self) -> Any:
        self.last = await self._configuration.read()
        return self.last


async def reload_often(folder: Path, seed: int, reloads: int) -> Tally:
    """Edit and reload `times` times; the jobs in every version are polled throughout."""
    with ScriptedGem() as gem, Inbox() as inbox:
        for job_id in range(1, 100):
            gem.answers(job_id, "IN_PROGRESS")
        document = {
            "api": {"base_url": gem.url, "key": KEY, "token": {"value": TOKEN}, "timeout": "5s", "max_rate": 0},
            "notify": {"team": {"url": inbox.target_url("team"), "on": ["all"]}},
            "store": {"url": f"sqlite:///{folder / 'gemwatch.db'}"},
            "watch": list(KEPT),
        }
        path = folder / "config.yaml"
        path.write_text(yaml.safe_dump(document))
        configuration = Configuration(path, {})
        settings = configuration.first.settings
        assert settings is not None, configuration.first.problems
        async with running(settings, FakeClock()) as rig:
            wait = LogCapture(configuration)
            edits = reloader(rig, configuration, wait.read)
            await edits.start(configuration.first, settings)
            author, tally = Author(path, document, seed), Tally()
            await rig.poll()
            for number in range(reloads):
                await _one(rig, edits, configuration, wait, author, tally, number)
            await rig.poll()
            await rig.deliver(times=5, after=60)
            _compare(rig, gem, inbox, tally)
        configuration.close()
    return tally


async def _one(  # noqa: PLR0917 (all that an edit touches)
    rig: Rig,
    reloader: Reloader,
    configuration: Configuration,
    wait: LogCapture,
    author: Author,
    tally: Tally,
    number: int,
) -> None:
    before = _schedule(rig)
    broken = number % 3 == 1
    what = author.spoil() if broken else author.spoil_an_entry() if number % 9 == 2 else author.fix()
    tally.ways[what] += 1
    noticed = [await configuration.edited() for _ in range(2)]
    if not any(noticed):
        tally.faults.append(f"{number}: {what} was not noticed")
    await reloader.reload()
    tally.reloads += 1
    after = _schedule(rig)
    if any(after.get(job_id) != before[job_id] for job_id in KEPT):
        tally.faults.append(f"{number}: {what} moved a poll of a job that it did not change")
    if set(after) != set(author.good) and not broken:
        tally.faults.append(f"{number}: {what} gives {sorted(after)} instead of {sorted(author.good)}")
    if broken and (after != before or wait.last.settings is not None):
        tally.faults.append(f"{number}: {what} was applied")
    problems = wait.last.problems
    if (broken or what.startswith("entry")) != bool(problems):
        tally.faults.append(f"{number}: {what} has these mistakes: {[str(one) for one in problems]}")
    if any(one.file != author.path or one.line < 1 or one.column < 1 or not one.what for one in problems):
        tally.faults.append(f"{number}: {what} has a mistake without a place")
    if number % 5 == 4:
        await rig.poll(after=EVERY * 1.2)
        tally.polls += 1
    else:
        rig.clock.advance(timedelta(milliseconds=1).total_seconds())


def _compare(rig: Rig, gem: ScriptedGem, inbox: Inbox, tally: Tally) -> None:
    """No poll missed, no history lost, no message about a job."""
    for job_id in KEPT:
        if gem.asked(job_id) != tally.polls + 2:
            tally.faults.append(f"job {job_id} was polled {gem.asked(job_id)} times in {tally.polls + 2} rounds")
    asked = {request.job_id for request in gem.requests}
    rows = rig.records.history()
    if sorted(row["job_id"] for row in rows) != sorted(job_id for job_id in asked if job_id):
        tally.faults.append("history was lost")
    jobs = [row for row in rig.records.deliveries() if row["job_id"] is not None]
    tally.faults += [f"an edit reported job {row['job_id']}: {row['kind']}" for row in jobs]
    tally.faults += [f"an edit sent: {title}" for title in inbox.titles() if "job" in title]


def _schedule(rig: Rig) -> dict[int, str]:
    return {job["job_id"]: job["next_poll_at"] for job in rig.records.status()["jobs"] if job["watched"]}
