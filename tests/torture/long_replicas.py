"""Hundreds of kills of three replicas on one database, with freezes and restarts of the database in between."""

# ruff: noqa: T201 (a script's output)

import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from support.gem import ScriptedGem
from support.inbox import Inbox
from support.postgresql import new_database
from support.replicas import TAKEN_OVER, replicas
from support.waiting import wait_until
from torture.replicas import FAST, FREEZE, IMMEDIATE, KILLS, attack_and_audit

OTHERS = {25: FREEZE, 35: FAST, 45: IMMEDIATE}  # by the step of every fifty after which it comes
STORM = 5000


def run(seed: int, kills: int) -> bool:
    """Kill so often, print what came of it, and say whether all is as promised."""
    chance = random.Random(seed)
    points: list[str] = []
    for number in range(kills):
        if number % len(KILLS) == 0:
            rest = chance.sample(KILLS, len(KILLS))
        points.append(rest.pop())
        if (other := OTHERS.get(number % 50)) is not None:
            points.append(other)
    folder = Path(tempfile.mkdtemp(prefix="gemwatch-replicas-"))
    reached, found = attack_and_audit(folder, seed, points)
    print(f"replicas: {len(reached)} attacks with seed {seed}")
    for point, times in sorted(Counter(reached).items()):
        print(f"  {point:20} {times}")
    for name in ("ends", "messages", "doubled"):
        print(f"{name}: {getattr(found, name)}")
    for name in ("lost", "false", "repeated"):
        sentences = getattr(found, name)
        print("\n  ".join([f"{name}: {len(sentences)}", *sentences]))
    if not found.faults:
        shutil.rmtree(folder)
    return not found.faults and _storm()


def _storm() -> bool:
    """Thousands of results at once, which any of the replicas records: still summaries, and each once."""
    folder, jobs = Path(tempfile.mkdtemp(prefix="gemwatch-storm-")), range(1, STORM + 1)
    with new_database() as place, ScriptedGem() as gem, Inbox() as inbox:
        for job_id in jobs:
            gem.answers(job_id, "IN_PROGRESS")
        with replicas(folder, gem, inbox, place, watch=[*jobs], poll={"every": "60s"}) as three:
            three.start()
            wait_until(lambda: len({r.job_id for r in gem.requests}) >= STORM, "every job", patience=10 * TAKEN_OVER)
            for job_id in jobs:
                gem.answers(job_id, "SUCCESS")
            wait_until(three.settled, "every message", patience=10 * TAKEN_OVER)
            three.stop()
        reported, messages = inbox.reported("team"), len(inbox.messages)
    shutil.rmtree(folder)
    print(f"storm: {STORM} results in {messages} messages, {len(set(jobs) - set(reported))} lost")
    return set(reported) == set(jobs) and set(reported.values()) == {1} and messages < STORM / 10
