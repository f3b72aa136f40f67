"""Simulates how many requests the adaptive cadence saves, and at what delay, compared with fixed intervals.

    python -m bench.cadence [--store gemwatch.db]

Run times are random, or from a store's history in its order. Each run is known only to later ones.
"""

import argparse
import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean, quantiles

from gemwatch.adapters.gem.wire import read_details
from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.reads.past import latest_runs
from gemwatch.core.estimates.cadence import interval
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.job import JobDetails, Status
from gemwatch.core.polls.decide import next_poll
from gemwatch.core.runs import Run

START = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
EVERY = MINUTE
FAILING = 0.05  # of the runs, at any moment of their time
FIXED = (60, 90, 120, 180, 240, 300, 420, 600)  # seconds

Pause = Callable[[Run, timedelta, Experience], timedelta]


@dataclass(frozen=True, slots=True)
class Looked:
    """The cost of one run: polls, and the delay until its end was noticed."""

    polls: int
    delay: timedelta


def drawn(draw: random.Random, inputs: int = 40, each: int = 25) -> list[Run]:
    """Random runs of several inputs. Each input has a typical time, from minutes to half a day; some vary more."""
    made = []
    for number in range(inputs):
        usual = HOUR * draw.lognormvariate(0.7, 0.9)
        spread = draw.choice((0.05, 0.15, 0.4))
        for _ in range(each):
            ran = usual * draw.lognormvariate(0, spread)
            failed = draw.random() < FAILING
            made.append(_run(number, ran * draw.random() if failed else ran, failed=failed))
    draw.shuffle(made)
    return made


def _run(number: int, ran: timedelta, *, failed: bool) -> Run:
    return Run(
        job_id=number,
        ended_at=START,
        status=(Status.FAILED if failed else Status.SUCCESS).value,
        storage_id="storage-001",
        input_filename=f"input-{number}.parquet",
        job_type="ROAD_MATCHING",
        overture_release="2026-01-21.0",
        ran=ran,
    )


def simulated(runs: Iterable[Run], pause: Pause, draw: random.Random) -> Iterator[Looked]:
    """Poll each run from its start to its end with the intervals from `pause`, and learn from it."""
    known = Experience()
    for run in runs:
        if run.ran is None or run.ran <= timedelta():
            continue
        elapsed, polls = EVERY * draw.random(), 1
        while elapsed < run.ran:
            elapsed += next_poll(pause(run, elapsed, known), draw.random())
            polls += 1
        yield Looked(polls, elapsed - run.ran)
        known.add(run)


def adaptive(run: Run, elapsed: timedelta, known: Experience) -> timedelta:
    return interval(EVERY, _running(run), START, known, START + elapsed)


def fixed(seconds: float) -> Pause:
    return lambda _run, _elapsed, _known: timedelta(seconds=seconds)


def _running(run: Run) -> JobDetails:
    names = ("storage_id", "input_filename", "job_type", "overture_release", "orbis_version")
    fields = {name: getattr(run, name) for name in names}
    return read_details(json.dumps({"job_id": run.job_id, "status": Status.IN_PROGRESS.value, **fields}))


def _row(name: str, looked: list[Looked], usual: float) -> str:
    polls, delays = [one.polls for one in looked], [one.delay.total_seconds() for one in looked]
    p95 = quantiles(delays, n=20)[-1]
    saved = f"{1 - fmean(polls) / usual:7.0%}"
    return f"{name:<18}{fmean(polls):>12.1f}{saved:>9}{fmean(delays):>12.0f} s{p95:>10.0f} s{max(delays):>10.0f} s"


def _recorded(store: Path) -> list[Run]:
    with open_to_read(store).begin() as connection:
        return latest_runs(connection)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.cadence", description=__doc__)
    parser.add_argument("--store", type=Path, help="take the run times from this store")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    runs = _recorded(given.store) if given.store else drawn(random.Random(given.seed))

    def looked(pause: Pause) -> list[Looked]:
        return list(simulated(runs, pause, random.Random(given.seed)))

    every = looked(fixed(EVERY.total_seconds()))
    usual = fmean(one.polls for one in every)
    print(f"{len(every)} runs; from a run's end to the poll that finds it:\n")
    print(f"{'interval':<18}{'polls a run':>12}{'saved':>9}{'mean delay':>14}{'p95':>12}{'most':>12}")
    print(_row("adaptive, 60 s", looked(adaptive), usual))
    for seconds in FIXED:
        print(_row(f"fixed, {seconds} s", looked(fixed(seconds)), usual))


if __name__ == "__main__":
    main()
