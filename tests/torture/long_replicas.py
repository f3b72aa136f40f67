"""Hundreds of kills of three replicas on one database, and all else that may happen to them and to the database."""

# ruff: noqa: T201 (a script's output)

import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from support.gem import ScriptedGem
from support.inbox import Inbox
from support.postgresql import new_database
from support.replicas import TAKEN_OVER, replicas
from support.waiting import wait_until
from torture.replicas import (
    CUT_AFTER,
    CUT_BEFORE,
    FAST,
    FILES,
    FREEZE,
    IMMEDIATE,
    KILLS,
    STALL,
    attack_and_audit,
)

# By the step of every fifty after which it comes.
OTHERS = {5: CUT_BEFORE, 10: CUT_AFTER, 15: FILES, 25: FREEZE, 35: FAST, 40: STALL, 45: IMMEDIATE}
STORM = 5000
_PIECE = 50  # kills of one set of replicas: what it leaves is audited after a quarter of an hour


def run(seed: int, kills: int) -> bool:
    """Kill so often, once more through a pooler, and let thousands of jobs end at once: is all as promised?"""
    chance = random.Random(seed)
    kept = []
    for piece, start in enumerate(range(0, kills, _PIECE)):
        points = _points(chance, min(_PIECE, kills - start))
        kept.append(_attack("replicas", seed + piece, points, pooled=False))
    kept += [_attack("replicas through PgBouncer", seed, _points(chance, kills // 10), pooled=True), _storm()]
    return all(kept)


def _points(chance: random.Random, kills: int) -> list[str]:
    points: list[str] = []
    for number in range(kills):
        if number % len(KILLS) == 0:
            rest = chance.sample(KILLS, len(KILLS))
        points.append(rest.pop())
        if (other := OTHERS.get(number % 50)) is not None:
            points.append(other)
    return points


def _attack(name: str, seed: int, points: Sequence[str], *, pooled: bool) -> bool:
    folder, began = Path(tempfile.mkdtemp(prefix="gemwatch-replicas-")), time.monotonic()

    def report(text: str) -> None:
        print(f"{name}: {time.monotonic() - began:5.0f} s, {text}", flush=True)

    try:
        reached, found = attack_and_audit(folder, seed, points, pooled=pooled, report=report)
    except AssertionError as error:
        print(f"{name}: BROKEN with seed {seed} in {folder}: {error}", flush=True)
        return False
    print(f"{name}: {len(reached)} attacks with seed {seed}")
    for point, times in sorted(Counter(reached).items()):
        print(f"  {point:20} {times}")
    for word in ("ends", "messages", "doubled"):
        print(f"{word}: {getattr(found, word)}")
    for word in ("lost", "false", "repeated"):
        sentences = getattr(found, word)
        print("\n  ".join([f"{word}: {len(sentences)}", *sentences]), flush=True)
    if not found.faults:
        shutil.rmtree(folder)
    return not found.faults


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
