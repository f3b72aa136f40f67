"""A thousand reloads in a row."""

# ruff: noqa: T201 (a script's output)

import asyncio
import tempfile
from pathlib import Path

import structlog

from torture.reloads import reload_often


def run(seed: int, reloads: int) -> bool:
    """Reload so often, print what came of it, and say whether all is as promised."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    with tempfile.TemporaryDirectory(prefix="gemwatch-reloads-") as folder:
        tally = asyncio.run(reload_often(Path(folder), seed, reloads))
    print(f"reloads: {tally.reloads} with seed {seed}, {len(tally.ways)} kinds, polls between them: {tally.polls}")
    for what, times in sorted(tally.ways.items()):
        print(f"  {what:30} {times}")
    print("\n  ".join([f"faults: {len(tally.faults)}", *tally.faults]))
    return not tally.faults
