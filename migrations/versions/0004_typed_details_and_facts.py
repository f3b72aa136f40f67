"""The last answer about each job in a table of its own, parsed; event facts in typed form; GEM's reason for a FAILED.

Times and spans are whole microseconds. This file has its own code to read answers, so that it never changes: missing
values and values of another type are NULL, as in the program. It converts the facts of pending and past events. If
that fails for an event, its message is neutral but not lost.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
min_version = "0004"  # columns were removed, so an older gemwatch cannot use the store

_GROUP = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TEXTS = ("storage_id", "input_filename", "result_filename", "job_type", "overture_release", "orbis_version")
_RATIOS = {
    "matched": "roads_matched_ratio",
    "fully_matched": "roads_fully_matched_ratio",
    "partially_matched": "roads_partially_matched_ratio",
    "unmatched": "roads_unmatched_ratio",
}
_NUMBERS = ("confidence_threshold", "execution_time", "kilometres", "roads", *_RATIOS)
_COLUMNS = ("job_id", *_TEXTS, "requested_at", *_NUMBERS, "answer")


def upgrade() -> None:
    op.create_table(
        "details",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in _TEXTS),
        sa.Column("requested_at", sa.BigInteger(), nullable=True),
        sa.Column("confidence_threshold", sa.Integer(), nullable=True),
        sa.Column("execution_time", sa.BigInteger(), nullable=True),
        sa.Column("kilometres", sa.Float(), nullable=True),
        sa.Column("roads", sa.Integer(), nullable=True),
        *(sa.Column(name, sa.Float(), nullable=True) for name in _RATIOS),
        sa.Column("unclear", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("failure", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["watches.job_id"], name=op.f("fk_details_job_id_watches"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_details")),
    )
    connection = op.get_bind()
    _fill_details(connection)
    # Not in batch mode, which builds tables again: SQLite does these in place since 3.35.
    op.execute("ALTER TABLE watches DROP COLUMN document")
    op.add_column("watches", sa.Column("fingerprint", sa.BigInteger(), nullable=True))
    op.execute("ALTER TABLE transitions RENAME COLUMN document TO answer")
    op.add_column("transitions", sa.Column("failure", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("events", sa.Column("name", sa.Text(), nullable=True))
    _carry_facts(connection)


def _fill_details(connection: sa.Connection) -> None:
    table = sa.table("details", *(sa.column(name) for name in _COLUMNS))
    answers = connection.exec_driver_sql("SELECT job_id, document FROM watches WHERE document IS NOT NULL")
    while group := answers.fetchmany(_GROUP):
        connection.execute(sa.insert(table), [_details(job_id, answer) for job_id, answer in group])


def _details(job_id: int, answer: str) -> dict[str, Any]:
    raw = _object(answer)
    found = raw.get("statistics")
    statistics: dict[str, Any] = found if isinstance(found, dict) else {}
    seconds = _number(statistics.get("execution_time_sec"), 1e9)
    return {
        "job_id": job_id,
        **{name: _text(raw.get(name)) for name in _TEXTS},
        "requested_at": _microseconds(_time(raw.get("requested_at"))),
        "confidence_threshold": _whole(statistics.get("confidence_threshold")),
        "execution_time": None if seconds is None else round(seconds * 1_000_000),
        "kilometres": _number(statistics.get("kms_processed")),
        "roads": _whole(statistics.get("num_roads_processed")),
        **{ours: _number(statistics.get(name), 1) for ours, name in _RATIOS.items()},
        "answer": answer,
    }


def _carry_facts(connection: sa.Connection) -> None:
    """In groups by id, because the store may have years of history."""
    table = sa.table("events", *(sa.column(name) for name in ("id", "name")), sa.column("facts", sa.JSON()))
    update = sa.update(table).where(table.c.id == sa.bindparam("_id")).values(name=sa.bindparam("_name"))
    update = update.values(facts=sa.bindparam("_facts", type_=sa.JSON()))
    last = 0
    some = sa.text("SELECT id, kind, job_id, facts FROM events WHERE id > :last ORDER BY id LIMIT :most")
    while rows := connection.execute(some, {"last": last, "most": _GROUP}).all():
        last = rows[-1][0]
        carried = []
        for event_id, kind, job_id, text in rows:
            old = {**_object(text), "job_id": job_id}
            name, facts = _text(old.get("name")), _CARRY.get(kind, dict)(old)
            carried.append({"_id": event_id, "_name": name, "_facts": _given(facts)})
        connection.execute(update, carried)


def _job(old: dict[str, Any]) -> dict[str, Any]:
    """The `job` of the new facts, from the answer in the old ones."""
    document = old.get("document")
    raw = _object(document) if isinstance(document, str) else {}
    found = raw.get("statistics")
    statistics: dict[str, Any] = found if isinstance(found, dict) else {}
    status = raw.get("status")
    return _given(
        {
            "job_id": old["job_id"],
            "status": _text(status) or _text(old.get("status")) or "",
            **{name: _text(raw.get(name)) for name in _TEXTS},
            "requested_at": _iso(raw.get("requested_at")),
            "statistics": _given(
                {
                    "confidence_threshold": _whole(statistics.get("confidence_threshold")),
                    "execution_time": _duration(statistics.get("execution_time_sec")),
                    "kilometres": _number(statistics.get("kms_processed")),
                    "roads": _whole(statistics.get("num_roads_processed")),
                    **{ours: _number(statistics.get(name), 1) for ours, name in _RATIOS.items()},
                }
            )
            or None,
        }
    )


def _run(old: dict[str, Any]) -> dict[str, Any]:
    return {
        "job": _job(old),
        "before": _text(old.get("before")),
        "last_seen_before": _iso(old.get("last_seen_before")),
        "running_since": _iso(old.get("running_since")),
    }


def _started(old: dict[str, Any]) -> dict[str, Any]:
    estimate = old.get("estimate")
    return {**_run(old), "estimate": estimate if isinstance(estimate, dict) else None}


def _success(old: dict[str, Any]) -> dict[str, Any]:
    return {**_run(old), "previous": _previous(old.get("previous"))}


def _review(old: dict[str, Any]) -> dict[str, Any]:
    return {**_success(old), "reasons": list(_texts(old.get("reasons")))}


def _previous(old: Any) -> dict[str, Any] | None:
    if not isinstance(old, dict):
        return None
    changed = [
        {"what": change[0], "before": change[1], "now": change[2]}
        for change in old.get("changed") or ()
        if isinstance(change, list) and len(change) == 3 and all(isinstance(word, str) for word in change)  # noqa: PLR2004 (what, before, now)
    ]
    return _given(
        {
            "job_id": _whole(old.get("job_id")),
            "ended_at": _iso(old.get("ended_at")),
            **{name: _number(old.get(name)) for name in ("matched", "kilometres")},
            "roads": _whole(old.get("roads")),
            "ran": _duration(old.get("running_seconds")),
            "changed": changed or None,
        }
    )


def _limit(old: dict[str, Any]) -> dict[str, Any]:
    return _given(
        {
            "length": _duration(old.get("limit_seconds"), most=1e12),
            "runs": _whole(old.get("limit_runs")),
            "basis": _text(old.get("limit_basis")),
        }
    )


def _too_long(old: dict[str, Any]) -> dict[str, Any]:
    return {"job": _job(old), "since": _iso(old.get("since")), "limit": _limit(old)}


def _too_fast(old: dict[str, Any]) -> dict[str, Any]:
    return {"job": _job(old), "ran": _duration(old.get("ran_seconds")), "limit": _limit(old)}


def _not_found(old: dict[str, Any]) -> dict[str, Any]:
    return {
        "misses": _whole(old.get("misses")),
        "status": _text(old.get("status")),
        "last_seen_before": _iso(old.get("last_seen_before")),
    }


def _service(old: dict[str, Any]) -> dict[str, Any]:
    return {
        "over": old.get("over") is True,
        "reason": _text(old.get("reason")),
        "since": _iso(old.get("since")),
        "remedy": _text(old.get("remedy")),
    }


def _config(old: dict[str, Any]) -> dict[str, Any]:
    problems = list(_texts(old.get("problems")))
    return {**_service(old), "refused": old.get("refused") is True, "problems": problems or None}


_CARRY: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "started": _started,
    "success": _success,
    "failed": _run,
    "needs-review": _review,
    "not-found": _not_found,
    "queued-too-long": _too_long,
    "running-too-long": _too_long,
    "finished-too-fast": _too_fast,
    "login": _service,
    "api": _service,
    "store": _service,
    "config": _config,
}


def _given(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _object(text: Any) -> dict[str, Any]:
    try:
        raw = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return raw if isinstance(raw, dict) else {}


def _text(value: Any) -> str | None:
    return value.encode(errors="replace").decode() if isinstance(value, str) and value else None


def _texts(values: Any) -> Iterator[str]:
    for value in values if isinstance(values, list) else ():
        if (text := _text(value)) is not None:
            yield text


def _number(value: Any, most: float = 1e15) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None


def _whole(value: Any) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 2**63 else None  # exact, as a job's id must be
    number = _number(value)
    return None if number is None else int(number)


def _duration(value: Any, most: float = 1e9) -> str | None:
    """Seconds as an ISO 8601 duration."""
    seconds = _number(value, most)
    return None if seconds is None else f"PT{seconds:.6f}S"


def _time(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
        aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
    return aware if aware.year in range(2000, 3000) else None


def _iso(value: Any) -> str | None:
    time = _time(value)
    return None if time is None else time.isoformat()


def _microseconds(time: datetime | None) -> int | None:
    return None if time is None else (time - _EPOCH) // timedelta(microseconds=1)
