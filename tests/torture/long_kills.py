"""Hundreds of kills, in several installations side by side; half of them start the way a supervisor would."""

# ruff: noqa: T201 (a script's output)

import random
import shutil
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torture.audit import Findings
from torture.kills import POINTS, kill_and_audit

LANES = 4


@dataclass(frozen=True, kw_only=True)
class Lane:
    seed: int
    kills: int
    warm: bool


def run(seed: int, kills: int) -> bool:
    """Kill so often, print what came of it, and say whether all is as promised."""
    lanes = [
        Lane(seed=seed * 1000 + n, kills=kills // LANES + (n < kills % LANES), warm=n % 2 == 0) for n in range(LANES)
    ]
    with ThreadPoolExecutor(LANES) as pool:
        outcomes = list(pool.map(_lane, lanes))
    reached = Counter(point for points, _ in outcomes for point in points)
    findings = [found for _, found in outcomes]
    print(f"kills: {reached.total()} with seed {seed}")
    for point, times in sorted(reached.items()):
        print(f"  {point:20} {times}")
    for name in ("ends", "messages", "doubled"):
        print(f"{name}: {sum(getattr(found, name) for found in findings)}")
    for name in ("lost", "false", "repeated"):
        sentences = [sentence for found in findings for sentence in getattr(found, name)]
        print("\n  ".join([f"{name}: {len(sentences)}", *sentences]))
    return not any(found.faults for found in findings)


def _lane(sender_thread: Lane) -> tuple[list[str], Findings]:
    chance = random.Random(sender_thread.seed)
    points = [
        point for _ in range(sender_thread.kills // len(POINTS) + 1) for point in chance.sample(POINTS, len(POINTS))
    ]
    folder = Path(tempfile.mkdtemp(prefix="gemwatch-kills-"))
    outcome = kill_and_audit(folder, sender_thread.seed, points[: sender_thread.kills], warm=sender_thread.warm)
    if not outcome[1].faults:
        shutil.rmtree(folder)
    return outcome
