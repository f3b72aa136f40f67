"""Runs and jobs for tests that are about earlier runs."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gemwatch.core.job import JobDetails
from gemwatch.core.runs import Run
from support.events import details
from support.gem import document

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def run(number: int = 1, **fields: Any) -> Run:
    """A SUCCESS of `document`'s input, that ended `number` days ago and ran for an hour."""
    usual: dict[str, Any] = {
        "job_id": 1000 + number,
        "ended_at": NOW - timedelta(days=number),
        "status": "SUCCESS",
        "storage_id": "storage-001",
        "input_filename": "test_data.parquet",
        "job_type": "ROAD_MATCHING",
        "overture_release": "2026-01-21.0",
        "ran": HOUR,
    }
    return Run(**{**usual, **fields})


def past(*ran: timedelta, **fields: Any) -> list[Run]:
    """Runs of these lengths, oldest first."""
    return [run(len(ran) - index, ran=length, **fields) for index, length in enumerate(ran)]


def job(status: str, job_id: int = 7, **fields: Any) -> JobDetails:
    return details(document(job_id, status, **fields))
