"""Migrations on real files: they agree with the tables, keep a copy, and refuse what they cannot read."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gemwatch.adapters.store import schema
from gemwatch.adapters.store.database import open_to_read, open_to_write
from gemwatch.adapters.store.details import WITH_DETAILS, details_of
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads.past import latest_runs
from gemwatch.adapters.store.recording import Store, write_notes
from gemwatch.adapters.store.tables import metadata, microseconds, service, watches
from gemwatch.core.estimates.estimate import Basis
from gemwatch.core.kinds import (
    ApiFacts,
    ConfigFacts,
    Facts,
    LoginFacts,
    NeedsReviewFacts,
    NotFoundFacts,
    QueuedTooLongFacts,
    RunningTooLongFacts,
    StartedFacts,
    StoreFacts,
    SuccessFacts,
    UnknownFacts,
)
from gemwatch.core.limits import Bound
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Policy
from gemwatch.core.runs import PreviousRun, RequestChange, finished
from gemwatch.core.text.compose import title
from gemwatch.core.text.message import plain
from gemwatch.core.work import report_on
from support.events import details, seen
from support.gem import document
from support.json_records import JsonRecords

SEEN_AT = "2026-02-18T11:00:00+00:00"
SEEN = datetime.fromisoformat(SEEN_AT)
ESTIMATE = dict.fromkeys(("ends_at", "earliest", "latest"), SEEN_AT)
PREVIOUS = {
    "job_id": 5,
    "ended_at": SEEN_AT,
    "matched": 0.861,
    "roads": 401002,
    "kilometres": None,
    "running_seconds": 9600.0,
    "changed": [["Overture release", "a", "b"]],
}
OLD_JOB = details(document(7, "SUCCESS"))


def test_tables_and_migrations_agree(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_revision_in_the_code_is_the_newest_migration() -> None:
    assert ScriptDirectory.from_config(schema.alembic_config()).get_heads() == [schema.REVISION]


def at_revision(revision: str, place: Path) -> sa.Engine:
    """A store from an earlier version."""
    engine, config = open_to_write(place), schema.alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return engine


def test_runs_are_filled_from_the_transitions_of_an_older_store(tmp_path: Path) -> None:
    place = tmp_path / "gemwatch.db"
    minute = 60_000_000
    requested = 1_771_411_139_031_762  # 2026-02-18T10:38:59.031762Z, as in the documents
    texts = {status: json.dumps(document(1, status)) for status in ("REQUESTED", "IN_PROGRESS", "SUCCESS")}
    bare = json.dumps({"job_id": 2, "status": "FAILED", "statistics": None, "requested_at": "soon", "job_type": 7})
    odd = json.dumps({"job_id": 3, "status": "SUCCESS", "statistics": {"roads_matched_ratio": "0.5"}})
    moves = [
        (1, None, "REQUESTED", requested + 1 * minute, texts["REQUESTED"]),
        (1, "REQUESTED", "IN_PROGRESS", requested + 5 * minute, texts["IN_PROGRESS"]),
        (2, None, "IN_PROGRESS", requested, bare),
        (2, "IN_PROGRESS", "FAILED", requested + minute, bare),
        (1, "IN_PROGRESS", "SUCCESS", requested + 9 * minute, texts["SUCCESS"]),
        (3, None, "SUCCESS", requested, odd.replace('"0.5"', "NaN")),
        (1, "SUCCESS", "IN_PROGRESS", requested + 20 * minute, texts["IN_PROGRESS"]),
        (1, "IN_PROGRESS", "FAILED", requested + 30 * minute, texts["IN_PROGRESS"]),
        (3, "SUCCESS", "FAILED", requested, "no JSON"),
        (3, "FAILED", "SUCCESS", requested, odd),
    ]
    engine = at_revision("0001", place)
    with engine.begin() as connection:
        for job_id, text in ((1, texts["SUCCESS"]), (2, bare), (3, '{"job_type": NaN}'), (4, None)):
            row = {"id": job_id, "document": text}
            statement = "INSERT INTO watches (job_id, watched, every, document) VALUES (:id, 1, 60000000, :document)"
            connection.execute(sa.text(statement), row)
        for move in moves:
            connection.exec_driver_sql(
                "INSERT INTO transitions (job_id, before, after, observed_at, document) VALUES (?, ?, ?, ?, ?)", move
            )
    engine.dispose()
    assert schema.upgrade(place) == tmp_path / "gemwatch.db.schema-0001.bak"
    engine = open_to_read(place)
    with engine.begin() as connection:
        found = latest_runs(connection)
        types = dict(connection.execute(sa.select(watches.c.job_id, watches.c.job_type)).all())
    engine.dispose()
    assert types == {1: "ROAD_MATCHING", 2: None, 3: None, 4: None}
    minutes = timedelta(minutes=1)
    known = [(run.job_id, run.status, run.queued, run.ran) for run in found]
    assert known == [
        (2, "FAILED", None, None),
        (1, "SUCCESS", 5 * minutes, timedelta(seconds=9751)),
        (3, "SUCCESS", None, None),
        (1, "FAILED", None, 10 * minutes),
        (3, "FAILED", None, None),
        (3, "SUCCESS", None, None),
    ]
    assert [run.matched for run in found] == [None, 0.8468, None, None, None, 0.5]
    assert found[1].requested_at == datetime(2026, 2, 18, 10, 38, 59, 31762, tzinfo=UTC)
    assert (found[1].roads, found[1].confidence_threshold) == (397613, 60)


def test_migration_reads_documents_like_the_program(tmp_path: Path) -> None:
    """The migration has its own code to read documents: both must get the same values."""
    place, at = tmp_path / "gemwatch.db", datetime(2026, 2, 18, 12, tzinfo=UTC)
    raw = document(1, "SUCCESS", orbis_version="MAP1.204")
    values = ("REQUESTED", "IN_PROGRESS", microseconds(at - timedelta(hours=1)), json.dumps(raw))
    engine = at_revision("0001", place)
    with engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO watches (job_id, watched, every) VALUES (1, 1, 60000000)")
        for move in (values, ("IN_PROGRESS", "SUCCESS", microseconds(at), json.dumps(raw))):
            connection.exec_driver_sql(
                "INSERT INTO transitions (job_id, before, after, observed_at, document) VALUES (1, ?, ?, ?, ?)", move
            )
    engine.dispose()
    schema.upgrade(place)
    engine = open_to_read(place)
    with engine.begin() as connection:
        assert latest_runs(connection) == [
            finished(details(raw), ended_at=at, running_since=at - timedelta(hours=1)),
        ]
    engine.dispose()


def test_migration_survives_unstorable_documents(tmp_path: Path) -> None:
    place = tmp_path / "gemwatch.db"
    halves = dict.fromkeys(("storage_id", "input_filename", "job_type", "overture_release"), "\ud800")
    old = document(1, "SUCCESS", requested_at="0001-01-01T00:00:00+14:00", **halves)
    engine = at_revision("0001", place)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO watches (job_id, watched, every, document) VALUES (1, 1, 60000000, ?)", (json.dumps(old),)
        )
        connection.exec_driver_sql(
            "INSERT INTO transitions (job_id, after, observed_at, document) VALUES (1, 'SUCCESS', 1, ?)",
            (json.dumps(old),),
        )
    engine.dispose()
    schema.upgrade(place)
    engine = open_to_read(place)
    with engine.begin() as connection:
        (run,) = latest_runs(connection)
    engine.dispose()
    assert (run.storage_id, run.requested_at, run.matched) == ("?", None, 0.8468)


def test_second_upgrade_changes_and_copies_nothing(file: Path, tmp_path: Path) -> None:
    before = (tmp_path / "gemwatch.db").read_bytes()
    assert schema.upgrade(file) is None
    assert (tmp_path / "gemwatch.db").read_bytes() == before
    assert not list(tmp_path.glob("*.bak"))


def test_file_that_is_not_a_store_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gemwatch.db"
    path.write_text("this is not a database, whatever its name says. " * 40)
    with pytest.raises(StoreError, match="file is not a database"):
        schema.upgrade(path)
    assert path.read_text().startswith("this is not a database")


def test_migration_keeps_a_copy_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "gemwatch.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("CREATE TABLE keepsake (word TEXT)")
        connection.execute("INSERT INTO keepsake VALUES ('kept')")
    copy = schema.copy_before(path, "0000")
    assert copy == tmp_path / "gemwatch.db.schema-0000.bak"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT word FROM keepsake").fetchall() == [("kept",)]


def test_missing_store_is_reported_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="the first `gemwatch run` creates it"):
        open_to_read(tmp_path / "gemwatch.db")


OLD_EVENTS: list[tuple[str, dict[str, Any]]] = [
    ("started", {"before": "REQUESTED", "estimate": {**ESTIMATE, "runs": 3, "basis": "input"}}),
    ("success", {"before": "IN_PROGRESS", "previous": PREVIOUS}),
    ("failed", {"before": None, "first_sight": True}),
    ("needs-review", {"before": "IN_PROGRESS", "reasons": ["matched 1.0 %"]}),
    ("not-found", {"misses": 3, "status": "IN_PROGRESS", "last_seen_before": SEEN_AT}),
    ("queued-too-long", {"since": SEEN_AT, "limit_seconds": 60.0, "limit_runs": None, "limit_basis": None}),
    ("running-too-long", {"since": SEEN_AT, "limit_seconds": 60.5, "limit_runs": 5, "limit_basis": "release"}),
    ("finished-too-fast", {"ran_seconds": 9751.0, "limit_seconds": 1e4}),
    ("login", {"over": False, "reason": "HTTP 401", "since": SEEN_AT, "remedy": "az login"}),
    ("api", {"over": True, "since": None}),
    ("config", {"over": False, "refused": True, "problems": ["config.yaml:1:1: api: is missing"], "reason": None}),
    ("store", {"over": False, "since": SEEN_AT, "reason": "database is locked"}),
]
CARRIED: dict[str, Facts] = {
    "not-found": NotFoundFacts(misses=3, status="IN_PROGRESS", last_seen_before=SEEN),
    "queued-too-long": QueuedTooLongFacts(job=OLD_JOB, since=SEEN, limit=Bound(length=timedelta(minutes=1))),
    "running-too-long": RunningTooLongFacts(
        job=OLD_JOB, since=SEEN, limit=Bound(length=timedelta(seconds=60.5), runs=5, basis=Basis.RELEASE)
    ),
    "login": LoginFacts(over=False, reason="HTTP 401", since=SEEN, remedy="az login"),
    "api": ApiFacts(over=True),
    "config": ConfigFacts(over=False, refused=True, problems=("config.yaml:1:1: api: is missing",)),
    "store": StoreFacts(over=False, since=SEEN, reason="database is locked"),
}


@pytest.fixture
def older(tmp_path: Path) -> str:
    """A store of schema 0003 with a job, its history and runs, and a pending delivery of each kind of event."""
    place = tmp_path / "gemwatch.db"
    answer = json.dumps(document(7, "SUCCESS"))
    engine = at_revision("0003", place)
    with engine.begin() as connection:
        run = connection.exec_driver_sql
        run(
            "INSERT INTO watches (job_id, watched, every, status, document, job_type, due_at) "
            "VALUES (7, 1, 60000000, 'SUCCESS', ?, 'ROAD_MATCHING', NULL), (8, 1, 60000000, NULL, NULL, NULL, 1)",
            (answer,),
        )
        run("INSERT INTO transitions (job_id, after, observed_at, document) VALUES (7, 'SUCCESS', 1, ?)", (answer,))
        run("INSERT INTO runs (job_id, ended_at, status) VALUES (7, 1, 'SUCCESS')")
        for number, (kind, facts) in enumerate(OLD_EVENTS, 1):
            about = kind not in ("api", "config", "store")
            old = {"name": "Weekly", "document": answer, **facts} if about else facts
            run(
                "INSERT INTO events (id, kind, at, job_id, facts) VALUES (?, ?, 1, ?, ?)",
                (number, kind, 7 if about else None, json.dumps(old)),
            )
            run(
                "INSERT INTO deliveries (event_id, target, state, expires_at, due_at) "
                "VALUES (?, ?, 'pending', 9000000000000000, 1)",
                (number, f"target-{kind}"),
            )
    engine.dispose()
    return place


def test_older_store_keeps_details_history_and_runs(older: str) -> None:
    schema.upgrade(older)
    engine = open_to_read(older)
    records = JsonRecords(engine)
    found = {job["job_id"]: job for job in records.status()["jobs"]}
    assert found[7]["details"] == document(7, "SUCCESS")
    assert found[8]["details"] is None
    assert [move["to"] for move in records.history()] == ["SUCCESS"]
    with engine.begin() as connection:
        row = connection.execute(WITH_DETAILS.where(watches.c.job_id == 7)).one()
        assert details_of(row) == details(document(7, "SUCCESS"))
        assert [run.status for run in latest_runs(connection)] == ["SUCCESS"]
    engine.dispose()


def test_older_store_keeps_pending_deliveries_with_their_facts(older: str) -> None:
    schema.upgrade(older)
    engine = open_to_write(older)
    at = datetime(2026, 2, 18, 12, tzinfo=UTC)
    bundles = Store(engine).claim_deliveries(at, [f"target-{kind}" for kind, _ in OLD_EVENTS], timedelta(minutes=1))
    engine.dispose()
    events = [bundle.deliveries[0].event for bundle in bundles]
    assert [event.kind.value for event in events] == [kind for kind, _ in OLD_EVENTS]
    assert not any(isinstance(event.facts, UnknownFacts) for event in events)
    assert {event.name for event in events if event.job_id is not None} == {"Weekly"}
    facts = {event.kind.value: event.facts for event in events}
    assert {kind: facts[kind] for kind in CARRIED} == CARRIED
    started, success, review = facts["started"], facts["success"], facts["needs-review"]
    assert isinstance(started, StartedFacts)
    assert started.estimate is not None
    assert (started.job, started.estimate.runs, started.estimate.ends_at) == (OLD_JOB, 3, SEEN)
    assert isinstance(success, SuccessFacts)
    assert success.previous == PreviousRun(
        job_id=5,
        ended_at=SEEN,
        matched=0.861,
        roads=401002,
        ran=timedelta(seconds=9600),
        changed=(RequestChange(what="Overture release", before="a", now="b"),),
    )
    assert isinstance(review, NeedsReviewFacts)
    assert review.reasons == ("matched 1.0 %",)


def test_next_poll_after_an_upgrade_writes_the_answer_once(older: str) -> None:
    schema.upgrade(older)
    engine = open_to_write(older)
    with engine.begin() as connection:
        connection.execute(sa.update(watches).values(due_at=SEEN))
    store = Store(engine)
    (claim, _) = store.claim_watches(SEEN, 2, timedelta(minutes=1))
    verdict = decide(claim.tracked, seen(SEEN, document(7, "SUCCESS")), Policy(), 0.5)
    report = report_on(claim, SEEN, verdict)
    assert not report.quiet
    store.record([report])
    with engine.begin() as connection:
        connection.execute(sa.update(watches).where(watches.c.job_id == 7).values(due_at=SEEN))
    again = store.claim_watches(SEEN, 1, timedelta(minutes=1))[0]
    later = decide(again.tracked, seen(SEEN, document(7, "SUCCESS")), Policy(), 0.5)
    assert report_on(again, SEEN, later).fingerprint is None
    engine.dispose()


def test_invalid_old_facts_are_sent_anyway(older: str) -> None:
    engine = open_to_write(older)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE events SET facts = '[1, {}]' WHERE kind = 'success'")
        connection.exec_driver_sql("UPDATE events SET facts = '{\"misses\": \"many\"}' WHERE kind = 'not-found'")
    engine.dispose()
    schema.upgrade(older)
    engine = open_to_write(older)
    targets = ["target-success", "target-not-found"]
    bundles = Store(engine).claim_deliveries(SEEN, targets, timedelta(minutes=1))
    engine.dispose()
    success, not_found = (bundle.deliveries[0].event for bundle in bundles)
    assert plain(title(success)) == "SUCCESS: job 7"
    assert plain(title(not_found)) == "gemwatch: Not found (job 7)"


def test_newer_store_with_only_additions_is_used(file: Path) -> None:
    newer(file, "9999", least=schema.REVISION)
    assert schema.upgrade(file) is None
    engine = open_to_read(file)
    schema.check(engine)
    assert schema.revision_of(engine) == "9999"


def test_newer_store_with_removals_is_refused(file: Path) -> None:
    newer(file, "9999", least="9998")
    with pytest.raises(StoreError, match="schema 9999, which a newer gemwatch made"):
        schema.upgrade(file)
    engine = open_to_read(file)
    assert schema.revision_of(engine) == "9999"
    with pytest.raises(StoreError, match="the store has schema 9999, this gemwatch reads"):
        schema.check(engine)


def newer(place: Path, revision: str, *, least: str) -> None:
    engine = open_to_write(place)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = ?", (revision,))
        write_notes(connection, {schema.LEAST: least})
    engine.dispose()


def test_recent_migrations_name_their_least_version() -> None:
    scripts = ScriptDirectory.from_config(schema.alembic_config()).walk_revisions()
    least = {script.revision: script.module.min_version for script in scripts if script.revision >= "0004"}
    assert all("0004" <= version <= revision for revision, version in least.items())
    assert schema.least_version() == max(least.values())


def test_upgrade_notes_the_least_version(older: str) -> None:
    schema.upgrade(older)
    engine = open_to_read(older)
    with engine.begin() as connection:
        noted = connection.execute(sa.select(service.c.value).where(service.c.name == schema.LEAST)).scalar()
    assert noted == schema.least_version()
