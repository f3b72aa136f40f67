"""A store as an earlier version left it: the program carries all of it over, and sends what was pending."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.daemon import Installation
from support.gem import ScriptedGem, document
from support.inbox import Inbox
from support.waiting import wait_until

TABLES = Path(__file__).with_name("store-0002.sql")
NOW = datetime.now(UTC)
FACTS = {"name": "Weekly", "before": "IN_PROGRESS", "last_seen_before": "2026-02-18T13:20:05+00:00"}
PENDING: dict[str, dict[str, Any]] = {
    "success": {**FACTS, "document": json.dumps(document(7, "SUCCESS"))},
    "needs-look": {**FACTS, "document": json.dumps(document(7, "SUCCESS")), "reasons": ["matched 84.7 %, too low"]},
    "login": {"over": False, "reason": "HTTP 401", "since": "2026-02-18T13:20:05+00:00", "remedy": None},
}


def at(**before: int) -> int:
    """A time so long ago, in microseconds."""
    return round((NOW - timedelta(**before)).timestamp() * 1_000_000)


def insert(connection: sqlite3.Connection, table: str, **values: Any) -> None:
    places = ", ".join("?" * len(values))
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places})", tuple(values.values()))


@pytest.fixture
def old(installation: Installation) -> Installation:
    """Job 7 has ended, job 8 runs for longer than its limit, which was reported; three messages wait."""
    ended, runs = (json.dumps(document(number, word)) for number, word in ((7, "SUCCESS"), (8, "IN_PROGRESS")))
    common = {"watched": True, "every": 1_000_000, "name": "Weekly", "job_type": "ROAD_MATCHING"}
    with closing(sqlite3.connect(installation.folder / "gemwatch.db")) as connection, connection:
        connection.executescript(TABLES.read_text())
        times = {"status_since": at(hours=2), "seen_at": at(minutes=1), "polled_at": at(minutes=1)}
        insert(connection, "watches", job_id=7, status="SUCCESS", document=ended, **times, **common)
        limit = {"running_since": at(hours=9), "told_limits": "running-too-long", "due_at": at(seconds=1)}
        insert(connection, "watches", job_id=8, status="IN_PROGRESS", document=runs, **limit, **times, **common)
        for number, word in enumerate(("REQUESTED", "IN_PROGRESS", "SUCCESS")):
            move = {"after": word, "observed_at": at(hours=5 - number), "document": ended}
            insert(connection, "transitions", job_id=7, **move)
        insert(connection, "runs", job_id=7, ended_at=at(hours=3), status="SUCCESS", matched=0.8468, roads=397613)
        for number, (kind, facts) in enumerate(PENDING.items(), 41):
            job_id = None if kind == "login" else 7
            insert(connection, "events", id=number, kind=kind, at=at(hours=3), job_id=job_id, facts=json.dumps(facts))
            waits = {"state": "pending", "attempts": 2, "due_at": at(hours=1), "expires_at": at(hours=-24)}
            insert(connection, "deliveries", event_id=number, target="team", **waits)
        note = json.dumps({"told": ["config.yaml: x"], "refused": False, "since": None})
        insert(connection, "service", name="config", value=note)
    return installation


def test_old_store_is_carried_over_and_its_messages_sent(old: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(7, "SUCCESS")
    gem.answers(8, "IN_PROGRESS", "FAILED")
    old.configure(watch=[7, 8], limits={"running": "1h"}, poll={"every": "1s"})
    with old.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 5, "the three messages, the fixed configuration, and job 8's end")
        wait_until(lambda: len(old.records.deliveries("sent")) == 5, "the deliveries to be settled")
        [migrated] = daemon.logged("store_migrated")
        assert daemon.stop() == 0
    assert sorted(inbox.titles()) == [
        "FAILED: job 8",
        "SUCCESS, needs review: Weekly (job 7)",
        "SUCCESS: Weekly (job 7)",
        "gemwatch: configuration fixed",
        "gemwatch: login refused",
    ]
    [review] = [message for message in inbox.messages if "review" in message.title]
    assert "Why: matched 84.7 %, too low" in review.body
    assert review.body.endswith("\ngw-42")
    assert old.history(7) == ["REQUESTED", "IN_PROGRESS", "SUCCESS"]
    assert old.history(8) == ["FAILED"]
    assert old.job(7)["details"] == document(7, "SUCCESS")
    with closing(sqlite3.connect(old.folder / "gemwatch.db")) as connection:
        kept = connection.execute("SELECT job_id, status, matched FROM runs ORDER BY id").fetchall()
    assert kept[0] == (7, "SUCCESS", 0.8468)
    with closing(sqlite3.connect(migrated["backup"])) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == ("0002",)
