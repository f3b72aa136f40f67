"""The demo's jobs: what happens to each, and how the GEM API describes it at any moment."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from gemwatch.core.job import Status
from gemwatch.core.kinds import EventKind

ROADS_A_SECOND = 24_000  # of a running job: what takes a real one hours takes seconds here
A_RUN_BEFORE = 1000  # what the ids of two runs on the same input are apart
RUNS, APART = 6, timedelta(days=7)  # earlier runs of each job
GROUP = "nordic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A job's script, in seconds. It begins at the first request for the job, or `ahead` of that; if it is
    `submitted`, so long after the first list.

    `hidden`: the API does not know the job for so long; None: it never does. After that it is REQUESTED while
    `waiting`, IN_PROGRESS while `running` (a length of 0: a status that is never visible), and ends. Runs on
    the same input usually take `usual`, or as long as this one. `matched`: the share of the roads, where it is odd.
    """

    job_id: int
    name: str | None = None
    ahead: float = 0
    submitted: float | None = None
    hidden: float | None = 0
    waiting: float = 0
    running: float = 0
    end: Status = Status.SUCCESS
    lanes: bool = False
    notify: str | None = None
    usual: float | None = None
    matched: float | None = None

    @property
    def input_filename(self) -> str:
        return f"{(self.name or f'roads {self.job_id}').lower().replace(' ', '_')}.parquet"

    def earlier(self, number: int) -> "Life":
        """An earlier run on the same input, without problems."""
        chance = random.Random(self.job_id * 100 + number)  # noqa: S311 (figures for show)
        running = self.running if self.usual is None else self.usual
        return replace(
            self,
            job_id=self.job_id - number * A_RUN_BEFORE,
            waiting=round(self.waiting * chance.uniform(0.8, 1.25), 1),
            running=round(running * chance.uniform(0.92, 1.08), 1),
            submitted=None,
            end=Status.SUCCESS,
            usual=None,
            matched=None,
        )

    @property
    def event(self) -> EventKind:
        """The event that reports its end."""
        if self.hidden is None:
            return EventKind.NOT_FOUND
        if self.end is Status.FAILED:
            return EventKind.FAILED
        return EventKind.SUCCESS if self.matched is None else EventKind.NEEDS_REVIEW

    def status(self, since_first_asked: float) -> Status | None:
        """The status at a moment of its life. None: the API does not know the job."""
        age = self.ahead + since_first_asked
        if self.hidden is None or age < self.hidden:
            return None
        if age < self.hidden + self.waiting:
            return Status.REQUESTED
        return Status.IN_PROGRESS if age < self.hidden + self.waiting + self.running else self.end

    def document(self, status: Status, first_asked: datetime) -> dict[str, Any]:
        """The answer to `GET /jobs/{job_id}` while the job has this status."""
        done = status is Status.SUCCESS
        kind = (
            {"job_type": "LANE_LEVEL_MATCHING", "orbis_version": "25470.118"}
            if self.lanes
            else {"job_type": "ROAD_MATCHING", "overture_release": "2026-01-21.0"}
        )
        requested_at = first_asked - timedelta(seconds=self.ahead - (self.hidden or 0))
        return {
            "job_id": self.job_id,
            "storage_id": "storage-001",
            "input_filename": self.input_filename,
            "result_filename": self.input_filename.replace(".parquet", ".results.parquet") if done else None,
            **kind,
            "status": status.value,
            "requested_at": requested_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "statistics": self._statistics() if done else None,
        }

    def _statistics(self) -> dict[str, Any]:
        """Numbers of a sensible size that add up, and are the same whenever they are asked for.

        Runs on the same input differ little in them.
        """
        same, chance = random.Random(self.name), random.Random(self.job_id)  # noqa: S311 (figures for show)
        usual = max(self.running if self.usual is None else self.usual, 1)
        roads = round(same.uniform(0.9, 1.1) * chance.uniform(0.99, 1.01) * usual * ROADS_A_SECOND)
        matched = self.matched or round(same.uniform(0.82, 0.9) + chance.uniform(-0.01, 0.01), 4)
        partially = round(matched * same.uniform(0.12, 0.25), 4)
        fully = round(matched - partially, 4)
        return {
            "confidence_threshold": 60,
            "execution_time_sec": max(self.running, 1),
            "kms_processed": round(roads * same.uniform(0.18, 0.24), 2),
            "num_roads_processed": roads,
            "roads_matched_ratio": matched,
            "roads_fully_matched_ratio": fully,
            "roads_partially_matched_ratio": partially,
            "roads_unmatched_ratio": round(1 - matched, 4),
        }


LATE = Life(job_id=123456711, name="Italy roads", waiting=2, running=27, usual=8)
WATCHED = (
    Life(job_id=123456701, name="Netherlands roads", waiting=4, running=12),
    Life(job_id=123456702, name="Belgium lanes", waiting=3, running=8, lanes=True),
    Life(job_id=123456703, name="Spain roads", waiting=6, running=9, end=Status.FAILED),
    Life(job_id=123456704, name="Malta roads", waiting=8),
    Life(job_id=123456705, name="Denmark roads", ahead=60, waiting=5, running=15),
    Life(job_id=123456706, name="Poland lanes", waiting=10, running=22, lanes=True, notify="team-chat"),
    Life(job_id=123456707, name="Portugal roads", hidden=3, waiting=7, running=11),
    LATE,
    Life(job_id=123456712, name="Greece roads", waiting=5, running=9, matched=0.71),
    Life(job_id=123456799, hidden=None),
)
ADDED = Life(job_id=123456708, name="Luxembourg roads", waiting=4, running=11)
SPARE = (
    Life(job_id=123456709, name="Austria lanes", waiting=10, running=20, lanes=True),
    Life(job_id=123456710, name="Estonia roads", waiting=5, running=15, end=Status.FAILED),
)
FOUND = (  # without a visible REQUESTED, so that none is reported as started, however slow the machine is
    Life(job_id=123456721, name="Nord Norway", submitted=1, running=17),
    Life(job_id=123456722, name="Nord Sweden", submitted=3, running=17),
    Life(job_id=123456723, name="Nord Iceland", submitted=5, running=10, end=Status.FAILED),
    Life(job_id=123456724, name="Nord Finland", submitted=6, running=16, lanes=True),
)


def earlier_runs(lives: Iterable[Life], now: datetime) -> list[dict[str, Any]]:
    """The answers about the earlier runs of these jobs, whose results the API still lists."""
    runs = [
        (life.earlier(number), number)
        for life in lives
        if life.running and not life.ahead
        for number in range(RUNS, 0, -1)
    ]
    return [run.document(Status.SUCCESS, now - number * APART) for run, number in runs]
