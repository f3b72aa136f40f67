"""A few of the kills of `make torture`: the moments that the outside can name, and some commits."""

import random
from pathlib import Path

from torture.kills import OUTSIDE, kill_and_audit

SEED = 20260301
POINTS = [*OUTSIDE, "before transition", "after transition", "after take-send", "before settle", "before record"]
POINTS += [f"{moment} group-done" for moment in ("before", "after")]


def test_kills_at_the_worst_moments_lose_and_invent_nothing(tmp_path: Path) -> None:
    print(f"seed {SEED}")  # noqa: T201 (shown with a failure)
    points = random.Random(SEED).sample(POINTS, len(POINTS))
    reached, found = kill_and_audit(tmp_path, SEED, points, warm=True)
    assert found.faults == []
    assert len(reached) == len(points)
    assert found.ends == 4 * len(points)
