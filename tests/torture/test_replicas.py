"""A few of the kills of `python -m torture replicas`."""

import random
from pathlib import Path

from torture.replicas import attack_and_audit

SEED = 20261130
POINTS = ["request in hand", "send answered", "after take-look", "before transition", "before settle"]


def test_kills_of_replicas_lose_and_invent_nothing(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 (shown with a failure)
    points = random.Random(SEED).sample(POINTS, len(POINTS))
    reached, found = attack_and_audit(tmp_path, SEED, points, hurried=True)
    assert found.faults == []
    assert len(reached) == len(points)
    assert found.ends == 4 * len(points)
