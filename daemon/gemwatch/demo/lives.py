"""The jobs of the demo: how each one's life goes, and how the GEM API would describe it at any moment of it."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gemwatch.core.job import Status

A_SECOND_STANDS_FOR = 600  # seconds of a real job


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A job's script, in seconds. It begins when somebody first asks for the job, or `ahead` of that.

    `hidden`: the API does not know the job for so long; None: it never does. After that it is REQUESTED while
    `waiting`, IN_PROGRESS while `running` (a length of 0 is a status that nobody gets to see), and ends.
    """

    job_id: int
    name: str | None = None
    ahead: float = 0
    hidden: float | None = 0
    waiting: float = 0
    running: float = 0
    end: Status = Status.SUCCESS
    lanes: bool = False
    notify: str | None = None

    def status(self, since_first_asked: float) -> Status | None:
        """The status at a moment of its life. None: the API knows no such job."""
        age = self.ahead + since_first_asked
        if self.hidden is None or age < self.hidden:
            return None
        if age < self.hidden + self.waiting:
            return Status.REQUESTED
        return Status.IN_PROGRESS if age < self.hidden + self.waiting + self.running else self.end

    def document(self, status: Status, first_asked: datetime) -> dict[str, Any]:
        """The answer to `GET /jobs/{job_id}` while the job has this status."""
        stem = (self.name or f"roads {self.job_id}").lower().replace(" ", "_")
        done = status is Status.SUCCESS
        kind = (
            {"job_type": "LANE_LEVEL_MATCHING", "orbis_version": "25470.118"}
            if self.lanes
            else {"job_type": "ROAD_MATCHING", "overture_release": "2026-01-21.0"}
        )
        requested_at = first_asked - timedelta(hours=7, seconds=self.job_id % 3600)
        return {
            "job_id": self.job_id,
            "storage_id": "storage-001",
            "input_filename": f"{stem}.parquet",
            "result_filename": f"{stem}.results.parquet" if done else None,
            **kind,
            "status": status.value,
            "requested_at": requested_at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "statistics": self._statistics() if done else None,
        }

    def _statistics(self) -> dict[str, Any]:
        """Numbers of a sensible size that add up, and are the same whenever they are asked for."""
        chance = random.Random(self.job_id)  # noqa: S311 (figures for show)
        took = max(self.running, 1) * A_SECOND_STANDS_FOR + chance.randrange(60)
        roads = round(took * chance.uniform(35, 45))
        fully, partially = round(chance.uniform(0.6, 0.75), 4), round(chance.uniform(0.1, 0.2), 4)
        matched = round(fully + partially, 4)
        return {
            "confidence_threshold": 60,
            "execution_time_sec": took,
            "kms_processed": round(roads * chance.uniform(0.18, 0.24), 2),
            "num_roads_processed": roads,
            "roads_matched_ratio": matched,
            "roads_fully_matched_ratio": fully,
            "roads_partially_matched_ratio": partially,
            "roads_unmatched_ratio": round(1 - matched, 4),
        }


WATCHED = (
    Life(job_id=123456701, name="Netherlands roads", waiting=4, running=12),
    Life(job_id=123456702, name="Belgium lanes", waiting=3, running=8, lanes=True),
    Life(job_id=123456703, name="Spain roads", waiting=6, running=9, end=Status.FAILED),
    Life(job_id=123456704, name="Malta roads", waiting=8),
    Life(job_id=123456705, name="Denmark roads", ahead=60, waiting=5, running=15),
    Life(job_id=123456706, name="Poland lanes", waiting=10, running=22, lanes=True, notify="team-chat"),
    Life(job_id=123456707, name="Portugal roads", hidden=3, waiting=7, running=11),
    Life(job_id=123456799, hidden=None),
)
ADDED = Life(job_id=123456708, name="Luxembourg roads", waiting=4, running=11)
SPARE = (
    Life(job_id=123456709, name="Austria lanes", waiting=10, running=20, lanes=True),
    Life(job_id=123456710, name="Estonia roads", waiting=5, running=15, end=Status.FAILED),
)
