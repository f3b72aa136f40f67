"""The last answer about each job: converts between rows of `details` and `JobDetails`."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.tables import details, watches
from gemwatch.core.job import JobDetails, Seen, Statistics

_JOB = tuple(field.name for field in fields(JobDetails) if field.name not in ("job_id", "status", "statistics"))
_STATISTICS = tuple(field.name for field in fields(Statistics))
_LISTS = ("failure", "unclear")  # stored as JSON, NULL if empty
_COLUMNS = tuple(details.c[name].label(f"details_{name}") for name in (*_JOB, *_STATISTICS, "answer"))
WITH_DETAILS = sa.select(watches, *_COLUMNS).outerjoin(details, details.c.job_id == watches.c.job_id)
_DELETE = sa.delete(details).where(details.c.job_id.in_(sa.bindparam("ids", expanding=True)))


def replace_details(connection: sa.Connection, answers: Sequence[Seen]) -> None:
    """Replace the earlier answers about the same jobs with these."""
    rows = [_row(seen) for seen in answers]
    connection.execute(_DELETE, {"ids": [row["job_id"] for row in rows]})
    connection.execute(sa.insert(details), rows)


def details_of(row: Any) -> JobDetails | None:
    """The job in a row of `WITH_DETAILS`; None if there was no answer about it yet."""
    if row.details_answer is None or row.status is None:
        return None
    statistics = {name: getattr(row, f"details_{name}") for name in _STATISTICS}
    statistics["unclear"] = tuple(statistics["unclear"] or ())
    stated = any(value not in (None, ()) for value in statistics.values())
    values = {name: getattr(row, f"details_{name}") for name in _JOB}
    values["failure"] = tuple(values["failure"] or ())
    return JobDetails(
        job_id=row.job_id,
        status=row.status,
        statistics=Statistics(**statistics) if stated else None,
        **values,
    )


def _row(seen: Seen) -> dict[str, Any]:
    job, statistics = seen.job, seen.job.statistics or Statistics()
    values = {name: getattr(job, name) for name in _JOB} | {name: getattr(statistics, name) for name in _STATISTICS}
    return {
        **values,
        **{name: list(values[name]) or None for name in _LISTS},
        "job_id": job.job_id,
        "answer": seen.raw,
    }
