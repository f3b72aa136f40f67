"""One row for each finished run, filled from the transitions so far; limits and gates of watches.

Times and spans are whole microseconds. This file has its own code to read documents, so that it never changes:
missing values and values of another type are NULL, as in the program.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ENDS = ("SUCCESS", "FAILED")
_GROUP = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    for column in (
        sa.Column("limits", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("gate", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("told_limits", sa.Text(), nullable=True),
        sa.Column("clock_at", sa.BigInteger(), nullable=True),
        sa.Column("last_end", sa.BigInteger(), nullable=True),
        sa.Column("job_type", sa.Text(), nullable=True),
        sa.Column("needs_look", sa.JSON(none_as_null=True), nullable=True),
    ):
        op.add_column("watches", column)
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("storage_id", sa.Text(), nullable=True),
        sa.Column("input_filename", sa.Text(), nullable=True),
        sa.Column("job_type", sa.Text(), nullable=True),
        sa.Column("overture_release", sa.Text(), nullable=True),
        sa.Column("orbis_version", sa.Text(), nullable=True),
        sa.Column("requested_at", sa.BigInteger(), nullable=True),
        sa.Column("queued", sa.BigInteger(), nullable=True),
        sa.Column("ran", sa.BigInteger(), nullable=True),
        sa.Column("confidence_threshold", sa.Integer(), nullable=True),
        sa.Column("kilometres", sa.Float(), nullable=True),
        sa.Column("roads", sa.Integer(), nullable=True),
        sa.Column("matched", sa.Float(), nullable=True),
        sa.Column("fully_matched", sa.Float(), nullable=True),
        sa.Column("partially_matched", sa.Float(), nullable=True),
        sa.Column("unmatched", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["watches.job_id"], name=op.f("fk_runs_job_id_watches"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_runs_job_id"), "runs", ["job_id"], unique=False)
    op.create_index(op.f("ix_runs_job_type"), "runs", ["job_type"], unique=False)
    op.create_index(
        op.f("ix_runs_storage_id_input_filename_job_type"),
        "runs",
        ["storage_id", "input_filename", "job_type"],
        unique=False,
    )
    if op.get_bind().dialect.name != "sqlite":
        return  # stores of this schema are SQLite's: any other one is new, and empty
    op.execute(
        "UPDATE watches SET job_type = json_extract(document, '$.job_type') "
        "WHERE CASE WHEN json_valid(document) THEN json_type(document, '$.job_type') = 'text' "
        "AND json_extract(document, '$.job_type') <> '' END"
    )
    _fill(op.get_bind())


def _fill(connection: sa.Connection) -> None:
    """In the order in which the ends were seen, in groups: the store may have years of history."""
    seen = connection.exec_driver_sql(
        "SELECT job_id, before, after, observed_at, CASE WHEN after IN ('SUCCESS', 'FAILED') THEN document END "
        "FROM transitions ORDER BY id"
    )
    group: list[dict[str, Any]] = []
    runs = sa.table("runs", *(sa.column(name) for name in _COLUMNS))
    for run in _runs(seen):
        group.append(run)
        if len(group) == _GROUP:
            connection.execute(sa.insert(runs), group)
            group = []
    if group:
        connection.execute(sa.insert(runs), group)


_COLUMNS = (
    *("job_id", "ended_at", "status", "storage_id", "input_filename", "job_type", "overture_release"),
    *("orbis_version", "requested_at", "queued", "ran", "confidence_threshold", "kilometres", "roads"),
    *("matched", "fully_matched", "partially_matched", "unmatched"),
)


def _runs(seen: Any) -> Iterator[dict[str, Any]]:
    started: dict[int, int | None] = {}  # when the job was seen to start; None if it was running at first sight
    last_end: dict[int, int] = {}
    for job_id, before, after, at, document in seen:
        if after == "IN_PROGRESS":
            started[job_id] = None if before is None else at
        if after in _ENDS:
            seen_run = {"job_id": job_id, "ended_at": at, "status": after}
            yield {**seen_run, **_told(_object(document), at, started.pop(job_id, None), last_end.get(job_id))}
            last_end[job_id] = at


def _told(raw: dict[str, Any], ended_at: int, started: int | None, last_end: int | None) -> dict[str, Any]:
    found = raw.get("statistics")
    statistics: dict[str, Any] = found if isinstance(found, dict) else {}
    requested, seconds = _time(raw.get("requested_at")), _number(statistics, "execution_time_sec", 1e9)
    fresh = requested is not None and (last_end is None or last_end < requested)
    roads, threshold = _number(statistics, "num_roads_processed"), _number(statistics, "confidence_threshold")
    texts = ("storage_id", "input_filename", "job_type", "overture_release", "orbis_version")
    return {
        **{name: _text(raw.get(name)) for name in texts},
        "requested_at": requested,
        "queued": _between(requested, started) if fresh else None,
        "ran": _between(started, ended_at) if seconds is None else round(seconds * 1_000_000),
        "confidence_threshold": None if threshold is None else int(threshold),
        "kilometres": _number(statistics, "kms_processed"),
        "roads": None if roads is None else int(roads),
        "matched": _number(statistics, "roads_matched_ratio", 1),
        "fully_matched": _number(statistics, "roads_fully_matched_ratio", 1),
        "partially_matched": _number(statistics, "roads_partially_matched_ratio", 1),
        "unmatched": _number(statistics, "roads_unmatched_ratio", 1),
    }


def _text(value: Any) -> str | None:
    return value.encode(errors="replace").decode() if isinstance(value, str) and value else None


def _object(document: str) -> dict[str, Any]:
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _between(start: int | None, end: int | None) -> int | None:
    return None if start is None or end is None or end < start else end - start


def _number(raw: dict[str, Any], key: str, most: float = 1e15) -> float | None:
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None


def _time(value: Any) -> int | None:
    try:
        time = datetime.fromisoformat(value)
        aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
        gone = aware - _EPOCH
    except (TypeError, ValueError, OverflowError):
        return None
    if aware.year not in range(2000, 3000):
        return None
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds
