"""A store with a bit of everything, for tests that only read."""

import json
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.gem.wire import read_details
from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.details import replace_details
from gemwatch.adapters.store.tables import deliveries, events, runs, service, transitions, watches
from gemwatch.core.job import Seen
from gemwatch.core.settings import Place
from support.clock import START

MINUTE = timedelta(minutes=1)


def document(job_id: int, status: str, **more: Any) -> str:
    return json.dumps({"job_id": job_id, "status": status, **more})


def watch(job_id: int, **more: Any) -> dict[str, Any]:
    """A row of `watches`; its `document` goes to `details`."""
    return {"job_id": job_id, "watched": True, "every": MINUTE, **more}


def add(place: Place, *tables_and_rows: tuple[sa.Table, list[dict[str, Any]]]) -> None:
    engine = open_to_write(place)
    with engine.begin() as connection:
        for table, rows in tables_and_rows:
            for row in rows:
                answer = row.get("document") if table is watches else None
                connection.execute(sa.insert(table), {name: row[name] for name in row if name != "document"})
                if answer is not None:
                    replace_details(connection, [Seen(at=START, job=read_details(answer), raw=answer)])
            dialects.continue_numbering(connection, connection, table)
    engine.dispose()


def seen(job_id: int, status: str, at: datetime = START, **more: Any) -> dict[str, Any]:
    """A watched job as it was seen last."""
    details = document(
        job_id, status, storage_id="store", input_filename=f"in/{job_id}.parquet", job_type="x", **more
    )
    return watch(job_id, status=status, status_since=at, seen_at=at, polled_at=at, document=details, job_type="x")


def fill(place: Place) -> None:
    """Jobs in every state, with their history and deliveries."""
    odd = "odd <b>&'\"%_\\ \N{FACTORY} name"
    strange = watch(
        4,
        status="PAUSED?",
        document='{"job_id": 4, "status": "PAUSED?", "x": NaN, "y": 1e999, "z": "\\ud800"}',
        name=odd,
    )
    jobs = [
        watch(1),
        {**seen(2, "REQUESTED", requested_at="2026-03-01T11:00:00Z"), "due_at": START + MINUTE, "name": "Weekly NL"},
        {
            **seen(3, "IN_PROGRESS"),
            "due_at": START + 2 * MINUTE,
            "claim": START,
            "misses": 2,
            "last_error": "HTTP 500",
        },
        strange,
        {**seen(5, "SUCCESS", statistics={"roads_matched_ratio": 0.5}), "name": "weekly be", "watched": False},
        {**seen(2**63 - 1, "FAILED"), "unwatched_at": START},
    ]
    move = {"job_id": 5, "observed_at": START, "answer": document(5, "SUCCESS")}
    ran = {"status": "SUCCESS", "storage_id": "store", "input_filename": "in/5.parquet", "job_type": "x"}
    add(
        place,
        (watches, jobs),
        (
            transitions,
            [{**move, "before": None, "after": "REQUESTED"}, {**move, "before": "REQUESTED", "after": "SUCCESS"}],
        ),
        (
            events,
            [{"kind": "success", "at": START, "job_id": 5, "facts": {}}, {"kind": "api", "at": START, "facts": {}}],
        ),
        (
            deliveries,
            [
                {
                    "event_id": 1,
                    "target": "team",
                    "state": "sent",
                    "attempts": 1,
                    "expires_at": START,
                    "sent_at": START,
                },
                {
                    "event_id": 1,
                    "target": "mail",
                    "state": "failed",
                    "attempts": 9,
                    "expires_at": START,
                    "last_error": "x",
                },
                {"event_id": 2, "target": "team", "state": "pending", "expires_at": START, "due_at": START},
            ],
        ),
        (
            runs,
            [
                {"job_id": 3, "ended_at": START - n * MINUTE, "ran": n * MINUTE, "roads": n, "matched": 0.5, **ran}
                for n in (9, 5, 2)
            ]
            + [{"job_id": 5, "ended_at": START, "ran": MINUTE, "matched": 0.5, **ran}],
        ),
        (
            service,
            [
                {"name": "login", "value": "ok"},
                {"name": "login_since", "value": START.isoformat()},
                {"name": "api", "value": "down"},
                {"name": "api_since", "value": None},
                {"name": "token_expires_at", "value": "2026-03-01T13:00:00Z"},
            ],
        ),
    )
