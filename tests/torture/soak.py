"""Runs the installed program for a given time with jobs that come and go, and fails if it grows.

python -m torture.soak --minutes 30 --jobs 2000 --seed 1
"""

# ruff: noqa: T201 (a script's output)

import argparse
import itertools
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import cast

from gemwatch.core.job import is_end
from support.daemon import Daemon, Installation
from support.gem import ScriptedGem
from support.inbox import Inbox

SAMPLE_EVERY, EDIT_EVERY = 5.0, 10.0  # seconds
WARM_UP = 0.25  # of the time: caches fill, the first jobs come
# What each may gain over the measured time, and what counts as noise between one quarter of that time and the next.
MOST_GAIN = {"rss_mib": 8.0, "descriptors": 5.0, "threads": 2.0, "wal_mib": 4.0}
NOISE = {"rss_mib": 0.5, "descriptors": 1.0, "threads": 0.5, "wal_mib": 0.5}


@dataclass(frozen=True, slots=True)
class Sample:
    at: float
    rss_mib: float
    descriptors: float
    threads: float
    wal_mib: float


class World:
    """Where the API listens, which is all that an installation needs."""

    def __init__(self, url: str) -> None:
        self.url = url


def main() -> int:
    parser = argparse.ArgumentParser(prog="torture.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--jobs", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print(f"seed {given.seed}: {given.jobs} jobs at a time for {given.minutes:g} minutes", flush=True)
    command = [sys.executable, "-m", "torture.soak_world", str(given.seed)]
    with (
        tempfile.TemporaryDirectory(prefix="gemwatch-soak-") as folder,
        Inbox() as inbox,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as api,
    ):
        assert api.stdout is not None
        world = World(api.stdout.readline().strip())
        installation = Installation(Path(folder), cast("ScriptedGem", world), inbox)
        try:
            return _soak(installation, inbox, given.minutes * 60, given.jobs, given.seed)
        finally:
            api.kill()


def _soak(installation: Installation, inbox: Inbox, seconds: float, jobs: int, seed: int) -> int:
    chance, numbers = random.Random(seed), itertools.count(1)
    watched = deque(itertools.islice(numbers, jobs))
    every = max(2, jobs // 200)  # some 200 polls a second, whatever the number
    installation.configure(watch=list(watched), poll={"every": f"{every}s"}, log={"level": "error", "format": "json"})
    samples: list[Sample] = []
    with installation.daemon(cold=True) as daemon:
        begun = next_sample = time.monotonic()
        next_edit = begun + EDIT_EVERY
        while time.monotonic() - begun < seconds:
            time.sleep(max(0.0, min(next_sample, next_edit) - time.monotonic()))
            if time.monotonic() >= next_edit:
                next_edit += EDIT_EVERY
                for _ in range(jobs // 20):
                    watched.popleft()
                    watched.append(next(numbers))
                installation.configure(watch=chance.sample(list(watched), len(watched)))
            if time.monotonic() >= next_sample:
                next_sample += SAMPLE_EVERY
                samples.append(_sample(daemon, installation, time.monotonic() - begun))
                assert daemon.get("/healthz")[0] == 200
        code = daemon.stop()
    return max(code, _report(installation, inbox, samples))


def _sample(daemon: Daemon, installation: Installation, at: float) -> Sample:
    process = Path(f"/proc/{daemon.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    wal = installation.folder / "gemwatch.db-wal"
    return Sample(
        at=at,
        rss_mib=int(status["VmRSS"].split()[0]) / 1024,
        descriptors=sum(1 for _ in (process / "fd").iterdir()),
        threads=int(status["Threads"]),
        wal_mib=wal.stat().st_size / 2**20 if wal.exists() else 0.0,
    )


def _report(installation: Installation, inbox: Inbox, samples: list[Sample]) -> int:
    measured = samples[int(len(samples) * WARM_UP) :]
    span = measured[-1].at - measured[0].at
    leaks = []
    print(f"{'':12} {'first':>8} {'last':>8} {'most':>8} {'per hour':>9}")
    for name in (field.name for field in fields(Sample) if field.name != "at"):
        values = [getattr(sample, name) for sample in measured]
        slope = _slope([sample.at for sample in measured], values)
        print(f"{name:12} {values[0]:8.1f} {values[-1]:8.1f} {max(values):8.1f} {slope * 3600:+9.2f}")
        if slope * span > MOST_GAIN[name] or grows_steadily(values, NOISE[name]):
            leaks.append(name)
    status = installation.records.status()["jobs"]
    history = installation.records.history()
    ends = sum(is_end(row["to"]) for row in history)
    deliveries = installation.records.deliveries()
    sent = sum(row["state"] == "sent" and row["kind"] in ("success", "failed") for row in deliveries)
    print(f"jobs: {len(status)}, transitions: {len(history)}")
    print(f"ends: {ends}, sent: {sent}, in {len(inbox.messages)} messages")
    print(f"grows: {', '.join(leaks) or 'nothing'}")
    return 1 if leaks else 0


def grows_steadily(values: Sequence[float], noise: float) -> bool:
    """Whether each quarter's median is above that of the quarter before: a cache that fills ends in a plateau."""
    size = len(values) // 4
    quarters = [median(values[number * size : (number + 1) * size]) for number in range(4)] if size else []
    return bool(quarters) and all(later > earlier + noise for earlier, later in pairwise(quarters))


def _slope(xs: list[float], ys: list[float]) -> float:
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    spread = sum((x - mean_x) ** 2 for x in xs)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / spread if spread else 0.0


if __name__ == "__main__":
    sys.exit(main())
