"""A plausible job for samples: the example from TomTom's documentation."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gemwatch.core.job import JobDetails, Statistics, Status

_JOB = JobDetails(
    job_id=123456789,
    status=Status.SUCCESS,
    storage_id="storage-001",
    input_filename="test_data.parquet",
    result_filename="test_data.results.parquet",
    job_type="ROAD_MATCHING",
    overture_release="2026-01-21.0",
    requested_at=datetime(2026, 2, 18, 10, 38, 59, 31762, tzinfo=UTC),
    statistics=Statistics(
        confidence_threshold=60,
        execution_time=timedelta(seconds=9751),
        kilometres=80208.39,
        roads=397613,
        matched=0.8468,
        fully_matched=0.675,
        partially_matched=0.1718,
        unmatched=0.1531,
    ),
)


def sample_job(status: str) -> JobDetails:
    """The job with this status. Only a SUCCESS has a result and statistics, only a FAILED a reason."""
    if status == Status.SUCCESS:
        return _JOB
    failure = ("Validation failed: column geometry is missing",) if status == Status.FAILED else ()
    return replace(_JOB, status=status, result_filename=None, statistics=None, failure=failure)
