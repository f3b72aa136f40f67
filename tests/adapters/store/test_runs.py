"""Finished runs in the store: recorded at the end, compared with the previous one, and read for estimates."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.discovery.learning import Learning
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.reads.past import ExperienceReader, latest_runs, load_experience, previous_runs
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.tables import watches
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Target
from gemwatch.core.gate import Gate
from gemwatch.core.job import Seen
from gemwatch.core.kinds import EventKind, FailedFacts
from gemwatch.core.limits import Limits, LimitWord
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Policy
from gemwatch.core.runs import Run
from gemwatch.core.settings import Watch
from gemwatch.core.work import Recorded, report_on
from support.events import seen
from support.gem import document
from support.json_records import JsonRecords
from support.past import HOUR, NOW, job, past
from support.past_store import fill

MINUTE, LEASE = timedelta(minutes=1), timedelta(minutes=5)
GATE = Gate(matched_min=0.8, roads_change_max=0.2)


class Bench:
    """A store with jobs: `live(7, "REQUESTED", "SUCCESS", begin=NOW)` observes one status per hour."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.list, self.records = engine, WatchList(engine), JsonRecords(engine)
        self.store = Store(engine, [Target(name="team", url="json://h", on=frozenset(EventKind))])
        self.policy = Policy()

    def watch(self, *watches: int | Watch) -> Any:
        wanted = [Watch(job_id=one) if isinstance(one, int) else one for one in watches]
        return self.list.apply(wanted, MINUTE, NOW - 1000 * HOUR)

    def see(self, job_id: int, status: str, at: datetime, **fields: Any) -> Recorded:
        Housekeeping(self.engine).release_claims()  # of the ones that were claimed earlier
        claims = self.store.claim_watches(at, 100, LEASE)
        claim = next(claim for claim in claims if claim.tracked.job_id == job_id)
        verdict = decide(claim.tracked, seen(at, document(job_id, status, **fields)), self.policy, 0.5)
        return self.store.record([report_on(claim, at, verdict)])

    def active(self, job_id: int, *statuses: str, begin: datetime = NOW, **fields: Any) -> list[str]:
        """The job's events."""
        fields = {"requested_at": begin.isoformat(), **fields}
        seen = [self.see(job_id, status, begin + HOUR * (n + 1), **fields) for n, status in enumerate(statuses)]
        return [one.event.kind.value for recorded in seen for one in recorded.events]

    def kept(self) -> list[Run]:
        with self.engine.begin() as connection:
            return latest_runs(connection)

    def job(self, job_id: int, now: datetime = NOW) -> dict[str, Any]:
        return next(row for row in self.records.status(now)["jobs"] if row["job_id"] == job_id)

    def row(self, job_id: int) -> Any:
        with self.engine.begin() as connection:
            return connection.execute(sa.select(watches).where(watches.c.job_id == job_id)).one()


@pytest.fixture
def bench(engine: sa.Engine) -> Bench:
    return Bench(engine)


def test_end_records_a_run_with_times_and_numbers(bench: Bench) -> None:
    bench.watch(7)
    bench.active(7, "REQUESTED", "IN_PROGRESS", "SUCCESS")
    (run,) = bench.kept()
    assert run == Run(
        job_id=7,
        ended_at=NOW + 3 * HOUR,
        status="SUCCESS",
        storage_id="storage-001",
        input_filename="test_data.parquet",
        job_type="ROAD_MATCHING",
        overture_release="2026-01-21.0",
        requested_at=NOW,
        queued=2 * HOUR,
        ran=timedelta(seconds=9751),
        confidence_threshold=60,
        kilometres=80208.39,
        roads=397613,
        matched=0.8468,
        fully_matched=0.675,
        partially_matched=0.1718,
        unmatched=0.1531,
    )
    assert bench.row(7).job_type == "ROAD_MATCHING"


@pytest.mark.parametrize(
    ("lives", "queued", "ran"),
    [
        (["REQUESTED", "IN_PROGRESS", "FAILED"], 2 * HOUR, HOUR),
        (["IN_PROGRESS", "FAILED"], None, None),  # it was already running at first sight
        (["REQUESTED", "FAILED"], None, None),
        (["FAILED"], None, None),
    ],
)
def test_unseen_times_are_unknown(
    bench: Bench, lives: list[str], queued: timedelta | None, ran: timedelta | None
) -> None:
    bench.watch(7)
    bench.active(7, *lives)
    (run,) = bench.kept()
    assert (run.status, run.queued, run.ran) == ("FAILED", queued, ran)


def test_second_run_has_its_own_waiting_time(bench: Bench) -> None:
    bench.watch(7)
    asked = {"requested_at": NOW.isoformat()}
    bench.active(7, "REQUESTED", "IN_PROGRESS", "SUCCESS")
    bench.watch()
    bench.watch(7)
    bench.active(7, "REQUESTED", "IN_PROGRESS", "SUCCESS", begin=NOW + 10 * HOUR, **asked)
    first, second = bench.kept()
    assert (first.queued, second.queued) == (2 * HOUR, None)
    assert second.ended_at == NOW + 13 * HOUR


def test_polling_a_finished_job_again_records_no_run(bench: Bench) -> None:
    for _ in range(3):
        bench.watch(7)
        bench.active(7, "SUCCESS")
        bench.watch()
    assert len(bench.kept()) == 1


def test_runs_are_deleted_with_their_job(bench: Bench) -> None:
    bench.store.address([])
    bench.watch(7)
    bench.active(7, "SUCCESS")
    bench.watch()
    assert Housekeeping(bench.engine).prune(NOW + 9 * HOUR) == 1
    assert bench.kept() == []


def test_poll_with_a_void_claim_records_no_run(bench: Bench) -> None:
    bench.watch(7)
    claim = bench.store.claim_watches(NOW, 1, LEASE)[0]
    bench.watch()
    verdict = decide(claim.tracked, seen(NOW, document(7, "SUCCESS")), Policy(), 0.5)
    recorded = bench.store.record([report_on(claim, NOW, verdict)])
    assert (recorded.runs, bench.kept()) == ((), [])


def test_finished_runs_are_returned_for_learning(bench: Bench) -> None:
    bench.watch(7)
    assert bench.see(7, "SUCCESS", NOW).runs == tuple(bench.kept())


def test_success_below_the_gate_needs_review_everywhere(bench: Bench) -> None:
    bench.policy = Policy(gate=GATE)
    bench.watch(1, 2, 3)
    assert bench.active(1, "SUCCESS") == ["success"]
    assert bench.active(2, "SUCCESS", statistics={"roads_matched_ratio": 0.7}) == ["needs-review"]
    why = ["matched 70.0 %, below the floor of 80.0 %"]
    assert bench.job(2)["needs_review"] == why
    assert bench.job(1)["needs_review"] == []
    fewer = {"roads_matched_ratio": 0.9, "num_roads_processed": 200_000}
    assert bench.active(3, "SUCCESS", statistics=fewer) == ["success"]  # job 2 has no number of roads
    kinds = {row["job_id"]: row["kind"] for row in bench.records.deliveries()}
    assert kinds == {1: "success", 2: "needs-review", 3: "success"}


def test_success_is_compared_on_the_same_input_only(bench: Bench) -> None:
    bench.policy = Policy(gate=GATE)
    fewer = {"roads_matched_ratio": 0.9, "num_roads_processed": 200_000}
    bench.watch(1, 2, 3, 4)
    assert bench.active(1, "SUCCESS") == ["success"]
    assert bench.active(2, "FAILED") == ["failed"]
    assert bench.active(3, "SUCCESS", input_filename="other.parquet", statistics=fewer) == ["success"]
    assert bench.active(4, "SUCCESS", statistics=fewer) == ["needs-review"]
    assert bench.job(4)["needs_review"] == ["200,000 roads, 49.7 % fewer than the 397,613 before"]
    assert bench.job(4)["previous"] == {
        "job_id": 1,
        "ended_at": "2026-02-18T13:00:00.000Z",
        "matched": 0.8468,
        "roads": 397613,
        "kilometres": 80208.39,
        "running_seconds": 9751.0,
    }
    assert bench.job(3)["previous"] is None


def test_later_requested_run_is_not_the_previous_one(bench: Bench) -> None:
    bench.policy = Policy(gate=GATE)
    bench.watch(1, 2, 3)
    fewer = {"roads_matched_ratio": 0.9, "num_roads_processed": 200_000}
    for number, (job_id, hour, kind, fields) in enumerate(
        [
            (2, 7, "success", {"statistics": fewer}),
            (1, 0, "success", {}),
            (3, 5, "needs-review", {"statistics": fewer}),
        ]
    ):
        asked = (NOW + hour * HOUR).isoformat()
        assert bench.active(job_id, "SUCCESS", begin=NOW + number * HOUR, requested_at=asked, **fields) == [kind]
    before = {job_id: bench.job(job_id)["previous"] for job_id in (1, 2, 3)}
    assert [row and row["job_id"] for row in before.values()] == [None, None, 1]


def test_ends_recorded_together_are_in_request_order(bench: Bench) -> None:
    bench.policy = Policy(gate=GATE)
    bench.watch(1, 2, 3)
    fewer = {"roads_matched_ratio": 0.9, "num_roads_processed": 200_000}
    ends = {
        1: job("SUCCESS", 1, requested_at=(NOW + HOUR).isoformat(), statistics=fewer),
        2: job("SUCCESS", 2, requested_at=NOW.isoformat()),
        3: job("SUCCESS", 3, requested_at=None),
    }
    events = bench.store.record(
        [
            report_on(one, NOW, decide(one.tracked, answer, bench.policy, 0.5))
            for one in bench.store.claim_watches(NOW, 3, LEASE)
            if (answer := Seen(at=NOW, job=ends[one.tracked.job_id], raw="{}"))
        ]
    ).events
    assert {one.event.job_id: one.event.kind.value for one in events} == {
        1: "needs-review",
        2: "success",
        3: "success",
    }
    assert {job_id: bench.job(job_id)["previous"]["job_id"] for job_id in (1, 2)} == {1: 2, 2: 3}


def test_own_gate_applies_at_once_and_own_limits_at_a_poll(
    bench: Bench,
) -> None:
    bench.watch(7)
    bench.see(7, "IN_PROGRESS", NOW)
    due, gate = bench.row(7).due_at, Gate(matched_min=0.9)
    assert bench.watch(Watch(job_id=7, gate=gate)).changed == 1
    assert bench.row(7).due_at == due
    own = Watch(job_id=7, gate=gate, limits=Limits(running=HOUR, queued=LimitWord.AUTO))
    assert bench.watch(own).changed == 1
    assert bench.row(7).due_at < due
    assert bench.watch(own).changed == 0
    assert bench.row(7).limits == {"running": 3600.0, "queued": "auto"}
    assert bench.active(7, "IN_PROGRESS", "SUCCESS") == ["running-too-long", "needs-review"]
    assert bench.watch(7).changed == 1
    assert (bench.row(7).limits, bench.row(7).gate) == (None, None)


def test_limit_is_reported_once_over_a_restart(bench: Bench) -> None:
    bench.policy = Policy(limits=Limits(running=90 * MINUTE))
    bench.watch(7)
    assert bench.active(7, "REQUESTED", "IN_PROGRESS", "IN_PROGRESS") == ["started"]
    assert bench.row(7).clock_at == NOW + 3 * HOUR + 30 * MINUTE
    again = Bench(bench.engine)
    again.policy = bench.policy
    kinds = again.active(7, "IN_PROGRESS", "IN_PROGRESS", "SUCCESS", begin=NOW + 3 * HOUR)
    assert kinds == ["running-too-long", "success"]
    assert bench.job(7)["limits_passed"] == ["running-too-long"]


def test_unfinished_jobs_have_an_estimate_from_stored_runs(bench: Bench) -> None:
    fill(bench.engine, past(HOUR, HOUR, HOUR, queued=HOUR / 2))
    bench.watch(7, 8, 9)
    bench.active(7, "REQUESTED", "IN_PROGRESS", begin=NOW - 2 * HOUR)
    bench.active(8, "REQUESTED", begin=NOW - HOUR)
    bench.active(9, "FAILED", begin=NOW - HOUR)
    running, waiting, ended = (bench.job(job_id)["estimate"] for job_id in (7, 8, 9))
    assert ended is None
    assert (running["runs"], running["basis"], running["overdue"]) == (3, "input", False)
    assert running["earliest"] < running["ends_at"] < running["latest"]
    assert running["ends_at"].startswith("2026-02-18T13:00:0")
    assert set(running) == {
        *("ends_at", "earliest", "latest", "runs", "basis", "overdue", "queue_seconds", "running_seconds"),
    }
    assert running["running_seconds"]["median"] == pytest.approx(3600, abs=1)
    assert waiting["queue_seconds"]["low"] < 1800 < waiting["queue_seconds"]["high"]
    assert json.dumps(running)


def test_experience_reads_each_run_once(bench: Bench) -> None:
    learner = ExperienceReader()
    with bench.engine.begin() as connection:
        assert learner.experience(connection).outlook(job("IN_PROGRESS")) is None
    fill(bench.engine, past(HOUR, HOUR, HOUR))
    for _ in range(2):
        with bench.engine.begin() as connection:
            outlook = learner.experience(connection).outlook(job("IN_PROGRESS"))
        assert outlook is not None
        assert outlook.runs == 3
    assert isinstance(load_experience(bench.engine), Experience)


def test_ends_in_one_record_have_their_own_previous_runs(bench: Bench) -> None:
    """Observed before learned; one that was requested later does not count, nor does one that failed."""
    ages = {1: ("a", 9), 2: ("a", 8), 3: ("b", -9)}
    for job_id, (name, age) in ages.items():
        bench.watch(job_id)
        bench.active(job_id, "SUCCESS", begin=NOW - age * HOUR, input_filename=name)
    bench.watch(4)
    bench.active(4, "FAILED", begin=NOW - 7 * HOUR, input_filename="a")
    earlier = [replace(one, job_id=20 + n, input_filename=name) for n, name in enumerate("ac") for one in past(HOUR)]
    Learning(bench.engine).add([replace(one, requested_at=NOW - HOUR, job_type="ROAD_MATCHING") for one in earlier])
    names = {11: "a", 12: "b", 13: "c", 14: "d"}
    bench.watch(*names)
    Housekeeping(bench.engine).release_claims()
    reports = [
        report_on(claim, NOW, decide(claim.tracked, seen(NOW, answer), bench.policy, 0.5))
        for claim in bench.store.claim_watches(NOW, 100, LEASE)
        for job_id in [claim.tracked.job_id]
        for answer in [document(job_id, "SUCCESS", input_filename=names[job_id], requested_at=NOW.isoformat())]
    ]
    ends = {one.event.job_id: one.event.facts for one in bench.store.record(reports).events}
    before = {job_id: facts.previous and facts.previous.job_id for job_id, facts in ends.items()}
    assert before == {11: 2, 12: None, 13: 21, 14: None}


def test_previous_run_is_found_for_some_or_all_jobs(bench: Bench) -> None:
    bench.watch(1, 2, 3)
    for number in (1, 2, 3):
        bench.active(number, "SUCCESS", begin=NOW + number * HOUR, job_type=None)
    with bench.engine.begin() as connection:
        assert {of: run.job_id for of, run in previous_runs(connection).items()} == {2: 1, 3: 2}
        assert {of: run.job_id for of, run in previous_runs(connection, [3]).items()} == {3: 2}
        assert previous_runs(connection, []) == {}
        assert len(latest_runs(connection, 2)) == 2
        assert [run.job_id for run in latest_runs(connection, 2)] == [2, 3]


@pytest.mark.parametrize("inputs", [1, 3, 600])
def test_previous_run_is_the_last_one_on_each_input(bench: Bench, inputs: int) -> None:
    count, begun = 3 * inputs, past(HOUR)[0]
    places = {one: (f"storage-{one % 2}", f"{one // 2}.parquet") for one in range(inputs)}
    jobs = range(1, count + 1)
    named = {job_id: places[job_id % inputs] for job_id in jobs}
    fill(
        bench.engine,
        [replace(begun, job_id=one, storage_id=where, input_filename=name) for one, (where, name) in named.items()],
    )
    with bench.engine.begin() as connection:
        for some in (None, jobs):
            found = {of: run.job_id for of, run in previous_runs(connection, some).items()}
            assert found == {of: of - inputs for of in range(inputs + 1, count + 1)}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_previous_runs_are_found_by_indexes(bench: Bench) -> None:
    sent: list[tuple[str, Any]] = []

    @sa.event.listens_for(bench.engine, "before_cursor_execute")
    def _note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        sent.append((statement, parameters))

    fill(bench.engine, [replace(run, job_id=number) for number, run in enumerate(past(*[HOUR] * 9), start=1)])
    sent.clear()
    with bench.engine.begin() as connection:
        assert len(previous_runs(connection, [3, 4])) == 2
        queries = [(statement, parameters) for statement, parameters in sent if statement.startswith("SELECT")]
        assert len(queries) == 3
        for statement, parameters in queries:
            plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert "SCAN runs" not in plan


def test_extreme_texts_and_times_are_recorded(bench: Bench) -> None:
    bench.policy = Policy(limits=Limits(queued=5 * HOUR), experience=Experience(past(HOUR, HOUR, HOUR, queued=HOUR)))
    fill(bench.engine, past(HOUR, HOUR, HOUR, queued=HOUR))
    bench.watch(7, 8)
    halves = dict.fromkeys(("storage_id", "input_filename", "job_type", "overture_release"), "\ud800")
    assert bench.active(7, "REQUESTED", "IN_PROGRESS", "SUCCESS", **halves) == ["started", "success"]
    assert bench.kept()[-1].input_filename == "?"
    bench.active(8, "REQUESTED", begin=NOW + 9 * HOUR, requested_at="9999-12-31T23:59:59Z")
    assert bench.job(8)["estimate"] is None


def test_edited_limits_apply_within_five_intervals(bench: Bench) -> None:
    bench.watch(*range(1, 51))
    with bench.engine.begin() as connection:
        connection.execute(sa.update(watches).values(due_at=NOW + HOUR, clock_at=NOW + HOUR))
        connection.execute(sa.update(watches).where(watches.c.job_id == 1).values(claim=NOW))
        connection.execute(sa.update(watches).where(watches.c.job_id == 2).values(misses=3))
    bench.list.poll_soon(NOW)
    untouched = {bench.row(job_id).due_at for job_id in (1, 2)}
    assert untouched == {NOW + HOUR}
    due = {bench.row(job_id).due_at for job_id in range(3, 51)}
    assert all(NOW <= at < NOW + 5 * MINUTE for at in due)
    assert len(due) > 40
    assert {bench.row(job_id).clock_at for job_id in range(3, 51)} == {NOW}


def test_failed_event_names_the_last_success_of_its_input(bench: Bench) -> None:
    bench.watch(1, 2)
    for hours, status in enumerate(("REQUESTED", "IN_PROGRESS", "SUCCESS")):
        bench.see(1, status, NOW + hours * HOUR)
    bench.see(2, "REQUESTED", NOW + 3 * HOUR)
    bench.see(2, "IN_PROGRESS", NOW + 4 * HOUR)
    (event,) = bench.see(2, "FAILED", NOW + 5 * HOUR, message="column geometry is missing").events
    assert isinstance(event.event.facts, FailedFacts)
    assert event.event.facts.job.failure == ("column geometry is missing",)
    assert event.event.facts.ran == HOUR
    assert event.event.facts.last_success is not None
    assert (event.event.facts.last_success.job_id, event.event.facts.last_success.ended_at) == (1, NOW + 2 * HOUR)
    records = JsonRecords(bench.engine)
    assert records.history(2)[-1]["failure"] == ["column geometry is missing"]
    job = next(job for job in records.status(NOW)["jobs"] if job["job_id"] == 2)
    assert job["failure"] == ["column geometry is missing"]
