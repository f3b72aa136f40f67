"""Claims, reports and settlements in a real file and a real PostgreSQL."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.rerouting import give_back, read_health, reroute, write_health
from gemwatch.adapters.store.tables import deliveries, groups, metadata, watches
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.events import Missed, Target
from gemwatch.core.kinds import EventKind
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Policy
from gemwatch.core.settings import Applied, Watch
from gemwatch.core.target_health import TargetHealth
from gemwatch.core.work import (
    KEEP_TRYING,
    Bundle,
    NotSent,
    Report,
    Sent,
    WatchClaim,
    postpone,
    report_on,
    settle,
)
from support.events import event_of, seen
from support.json_records import JsonRecords

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
MINUTE, LEASE = timedelta(minutes=1), timedelta(minutes=5)
TEAM, MAIL = "team", "mail"


class Bench:
    """The store with its collaborators, and the common steps of the tests."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine, self.store, self.records = engine, Store(engine), JsonRecords(engine)
        self.keeping, self.list = Housekeeping(engine), WatchList(engine)

    def watch(self, *watches: int | Watch, now: datetime = NOW) -> Applied:
        wanted = [Watch(job_id=one) if isinstance(one, int) else one for one in watches]
        return self.list.apply(wanted, MINUTE, now)

    def claim(self, now: datetime = NOW, most: int = 100) -> list[WatchClaim]:
        return self.store.claim_watches(now, most, LEASE)

    def see(
        self, claim: WatchClaim, status: str, at: datetime = NOW, targets: Sequence[str] = (TEAM,)
    ) -> tuple[Report, ...]:
        answer = seen(at, {"job_id": claim.tracked.job_id, "status": status})
        verdict = decide(claim.tracked, answer, Policy(), 0.5)
        self.address(*targets)
        return self.store.record([report_on(claim, at, verdict)]).reports

    def address(self, *names: str) -> None:
        self.store.address([Target(name=name, url="json://127.0.0.1", on=frozenset(EventKind)) for name in names])

    def tell(self, number: int, *targets: str, at: datetime = NOW) -> None:
        event = event_of(EventKind.LOGIN, at=at)
        self.address(*(targets or (TEAM,)))
        self.store.record([], [event] * number)

    def bundle(self, now: datetime = NOW, target: str = TEAM) -> Bundle | None:
        return next(iter(self.store.claim_deliveries(now, [target], LEASE)), None)

    def job(self, job_id: int) -> dict[str, Any]:
        return next(job for job in self.records.status()["jobs"] if job["job_id"] == job_id)


@pytest.fixture
def bench(engine: sa.Engine) -> Bench:
    return Bench(engine)


@pytest.fixture
def busy(engine: sa.Engine) -> Iterator[None]:
    """Another writer's transaction is open."""
    other = sa.create_engine(engine.url)
    with other.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.connection.cursor().execute("BEGIN IMMEDIATE")
        else:
            connection.exec_driver_sql("LOCK TABLE watches, deliveries, groups IN EXCLUSIVE MODE")
        yield
    other.dispose()


def test_nothing_to_do_waits_for_no_writer(bench: Bench, request: pytest.FixtureRequest) -> None:
    bench.watch(Watch(job_id=1, group="release"))
    bench.tell(1)
    assert bench.bundle() is not None
    request.getfixturevalue("busy")
    store = bench.store
    assert store.next_due() == NOW
    assert store.close_groups(NOW) == []
    assert store.claim_deliveries(NOW, [TEAM, MAIL], LEASE) == []


def test_new_watch_is_due_at_once_and_is_claimed_only_once(bench: Bench) -> None:
    assert bench.watch(1, 2, 3) == Applied(added=3)
    assert [claim.tracked.job_id for claim in bench.claim(most=2)] == [1, 2]
    assert [claim.tracked.job_id for claim in bench.claim()] == [3]
    assert bench.claim() == []


def test_claim_becomes_due_again_after_its_lease(bench: Bench) -> None:
    bench.watch(1)
    bench.claim()
    assert bench.claim(NOW + LEASE - timedelta(seconds=1)) == []
    assert len(bench.claim(NOW + LEASE)) == 1


@pytest.mark.parametrize("stale_first", [True, False], ids=["stale first", "stale last"])
def test_void_poll_does_not_affect_the_next_one(bench: Bench, *, stale_first: bool) -> None:
    bench.watch(1)
    stale = bench.claim()
    later = NOW + timedelta(seconds=1)
    bench.watch(Watch(job_id=1, every=timedelta(seconds=30)), now=later)
    claims = [*stale, *bench.claim(later)]
    assert len(claims) == 2
    answer = seen(later, {"job_id": 1, "status": "SUCCESS"})
    reports = [report_on(claim, later, decide(claim.tracked, answer, Policy(), 0.5)) for claim in claims]
    bench.address(TEAM)
    recorded = bench.store.record(reports if stale_first else reports[::-1])
    assert [report.claim for report in recorded.reports] == [later]
    assert len(recorded.events) == 1


def test_start_releases_what_a_dead_process_had_claimed(bench: Bench) -> None:
    bench.watch(1)
    bench.tell(1)
    assert bench.claim()
    assert bench.bundle()
    bench.keeping.release_claims()
    assert bench.claim()
    assert bench.bundle()


def test_longest_due_is_claimed_first(bench: Bench) -> None:
    bench.watch(2, now=NOW - MINUTE)
    bench.watch(1, 2)
    assert [claim.tracked.job_id for claim in bench.claim()] == [2, 1]


def test_transition_and_deliveries_are_recorded_together(bench: Bench) -> None:
    bench.watch(7)
    bench.see(bench.claim()[0], "IN_PROGRESS")
    later = NOW + 2 * MINUTE
    bench.see(bench.claim(later)[0], "SUCCESS", later, [TEAM, MAIL])
    assert [(row["from"], row["to"]) for row in bench.records.history(7)] == [
        (None, "IN_PROGRESS"),
        ("IN_PROGRESS", "SUCCESS"),
    ]
    assert bench.records.history(7)[1]["last_seen_before"] == "2026-02-18T12:00:00.000Z"
    assert bench.records.history(7)[1]["observed_at"] == "2026-02-18T12:02:00.000Z"
    assert [(row["kind"], row["target"], row["state"]) for row in bench.records.deliveries()] == [
        ("success", "team", "pending"),
        ("success", "mail", "pending"),
    ]
    job = bench.job(7)
    assert (job["status"], job["finished"], job["next_poll_at"]) == ("SUCCESS", True, None)
    assert job["details"] == {"job_id": 7, "status": "SUCCESS"}


def test_failed_record_leaves_nothing_and_can_be_retried(bench: Bench) -> None:
    bench.watch(7)
    claim = bench.claim()[0]
    with bench.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE deliveries RENAME TO hidden"))
    with pytest.raises(sa.exc.DatabaseError):
        bench.see(claim, "SUCCESS")
    with bench.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE hidden RENAME TO deliveries"))
    assert (bench.job(7)["status"], bench.records.history()) == (None, [])
    assert len(bench.see(claim, "SUCCESS")) == 1
    assert [row["to"] for row in bench.records.history()] == ["SUCCESS"]


def test_report_on_an_unwatched_job_is_not_recorded(bench: Bench) -> None:
    bench.watch(7)
    claim = bench.claim()[0]
    assert bench.watch() == Applied(removed=1)
    assert bench.see(claim, "SUCCESS") == ()
    assert (bench.job(7)["status"], bench.records.history(), bench.records.deliveries()) == (None, [], [])


def test_two_reports_on_one_claim_record_one(bench: Bench) -> None:
    bench.watch(7)
    claim = bench.claim()[0]
    assert len(bench.see(claim, "SUCCESS")) == 1
    assert bench.see(claim, "SUCCESS") == ()
    assert len(bench.records.deliveries()) == 1


def test_edit_touches_only_what_changed(bench: Bench) -> None:
    bench.watch(1, 2, 3)
    for claim in bench.claim():
        bench.see(claim, "REQUESTED")
    due = {job_id: bench.job(job_id)["next_poll_at"] for job_id in (1, 2)}
    edited = bench.watch(1, Watch(job_id=2, name="Two", notify=(MAIL,)), 4, now=NOW + timedelta(seconds=30))
    assert edited == Applied(added=1, changed=1, removed=1)
    assert {job_id: bench.job(job_id)["next_poll_at"] for job_id in (1, 2)} == due
    assert (bench.job(2)["name"], bench.job(3)["watched"], bench.job(3)["next_poll_at"]) == ("Two", False, None)
    assert bench.watch(1, Watch(job_id=2, name="Two", notify=(MAIL,)), 4) == Applied()


def test_long_watch_list_is_applied_whole(bench: Bench) -> None:
    jobs = range(1, 2_502)
    assert bench.watch(*jobs) == Applied(added=len(jobs))
    assert [claim.tracked.job_id for claim in bench.claim(most=5_000)] == [*jobs]
    assert bench.watch(*jobs[1:], 5_000) == Applied(added=1, removed=1)


def test_shorter_interval_applies_at_once_a_longer_one_later(bench: Bench) -> None:
    bench.watch(1)
    bench.see(bench.claim()[0], "REQUESTED")
    bench.watch(Watch(job_id=1, every=timedelta(seconds=10)))
    assert bench.job(1)["next_poll_at"] == "2026-02-18T12:00:10.000Z"
    bench.watch(Watch(job_id=1, every=timedelta(hours=1)))
    assert bench.job(1)["next_poll_at"] == "2026-02-18T12:00:10.000Z"


def test_job_watched_again_is_polled_but_not_reported_twice(bench: Bench) -> None:
    bench.watch(7)
    bench.see(bench.claim()[0], "SUCCESS")
    bench.watch()
    assert bench.watch(7) == Applied(added=1)
    bench.see(bench.claim()[0], "SUCCESS")
    assert (len(bench.records.history(7)), len(bench.records.deliveries())) == (1, 1)
    assert bench.claim(NOW + timedelta(days=9)) == []


def test_more_than_five_deliveries_go_as_a_bundle(bench: Bench) -> None:
    bench.tell(5)
    sizes = []
    for _ in range(5):
        bundle = bench.bundle()
        assert bundle is not None
        sizes.append(len(bundle.deliveries))
    assert (sizes, bench.bundle()) == ([1, 1, 1, 1, 1], None)
    bench.tell(56)
    sizes = []
    while (bundle := bench.bundle()) is not None:
        sizes.append(len(bundle.deliveries))
    assert sizes == [50, 6]


def test_each_target_is_claimed_separately(bench: Bench) -> None:
    bench.tell(1, TEAM, MAIL)
    bundles = bench.store.claim_deliveries(NOW, [TEAM, MAIL, "gone"], LEASE)
    assert [(bundle.target, len(bundle.deliveries)) for bundle in bundles] == [(TEAM, 1), (MAIL, 1)]


def test_sent_deliveries_are_not_claimed_again(bench: Bench) -> None:
    bench.tell(2)
    first, second = bench.bundle(), bench.bundle()
    assert first is not None
    assert second is not None
    bench.store.settle(
        [settle(first.deliveries[0], Sent(), NOW), settle(second.deliveries[0], NotSent(reason="refused"), NOW)],
        now=NOW,
    )
    assert bench.bundle() is None
    again = bench.bundle(NOW + timedelta(seconds=5))
    assert again is not None
    assert (again.deliveries[0].id, again.deliveries[0].attempts) == (second.deliveries[0].id, 1)
    rows = bench.records.deliveries()
    assert [(row["state"], row["attempts"], row["last_error"]) for row in rows] == [
        ("sent", 1, None),
        ("pending", 1, "refused"),
    ]


def test_settlement_with_a_lost_claim_is_void(bench: Bench) -> None:
    bench.tell(1)
    stale = bench.bundle()
    fresh = bench.bundle(NOW + LEASE)
    assert stale is not None
    assert fresh is not None
    bench.store.settle([settle(stale.deliveries[0], NotSent(reason="late"), NOW)], now=NOW)
    assert bench.records.deliveries()[0]["attempts"] == 0
    bench.store.settle([settle(fresh.deliveries[0], Sent(), NOW)], now=NOW)
    assert bench.records.deliveries()[0]["state"] == "sent"


def test_recovered_target_makes_its_deliveries_due(bench: Bench) -> None:
    bench.tell(2, TEAM)
    bench.tell(1, MAIL)
    one, two, other = bench.bundle(), bench.bundle(), bench.bundle(target=MAIL)
    assert one is not None
    assert two is not None
    assert other is not None
    far = NOW + timedelta(minutes=15)
    bench.store.settle([postpone(two.deliveries[0], far), postpone(other.deliveries[0], far)], now=NOW)
    bench.store.settle([settle(one.deliveries[0], Sent(), NOW)], pull_forward=TEAM, now=NOW)
    assert bench.bundle(target=MAIL) is None
    assert bench.bundle() is not None


def test_removed_target_keeps_its_deliveries_for_now(bench: Bench) -> None:
    bench.tell(1, TEAM)
    bench.tell(1, MAIL)
    assert bench.keeping.expire_deliveries(NOW + KEEP_TRYING - MINUTE, [MAIL]) == []
    assert bench.keeping.expire_deliveries(NOW + KEEP_TRYING, [MAIL]) == [TEAM]
    assert [(row["target"], row["state"]) for row in bench.records.deliveries()] == [
        (TEAM, "failed"),
        (MAIL, "pending"),
    ]


def test_failed_deliveries_can_be_requeued(bench: Bench) -> None:
    bench.tell(2)
    for _ in range(2):
        bundle = bench.bundle()
        assert bundle is not None
        late = NOW + KEEP_TRYING
        bench.store.settle([settle(bundle.deliveries[0], NotSent(reason="refused"), late)], now=late)
    assert bench.keeping.retry_failed([1, 99], NOW + KEEP_TRYING) == [1]
    assert bench.keeping.retry_failed([], NOW + KEEP_TRYING) == [2]
    assert [row["state"] for row in bench.records.deliveries()] == ["pending", "pending"]
    bundle = bench.bundle(NOW + KEEP_TRYING)
    assert bundle is not None
    assert bundle.deliveries[0].expires_at == NOW + 2 * KEEP_TRYING


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(hours=-1)])
def test_schedule_moves_with_a_clock_jump(bench: Bench, jump: timedelta) -> None:
    bench.watch(1)
    bench.see(bench.claim()[0], "REQUESTED")
    bench.tell(1)
    bench.keeping.shift_schedule(jump, NOW + jump)
    assert bench.claim(NOW + jump + timedelta(seconds=59)) == []
    assert len(bench.claim(NOW + jump + MINUTE)) == 1
    bundle = bench.bundle(NOW + jump)
    assert bundle is not None
    assert bundle.deliveries[0].expires_at == NOW + jump + KEEP_TRYING


def test_target_that_is_down_waits_as_long_after_a_clock_jump(bench: Bench) -> None:
    down = TargetHealth(down_since=NOW, probe_at=NOW + MINUTE, hold_until=NOW + 2 * MINUTE)
    with bench.engine.begin() as connection:
        write_health(connection, TEAM, down)
    bench.keeping.shift_schedule(timedelta(days=-1), NOW - timedelta(days=1))
    with bench.engine.begin() as connection:
        moved = read_health(connection)[TEAM]
    assert moved.probe_at == NOW + MINUTE - timedelta(days=1)
    assert moved.hold_until == NOW + 2 * MINUTE - timedelta(days=1)


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(hours=-1)])
def test_messages_rerouted_before_a_clock_jump_are_given_back(bench: Bench, jump: timedelta) -> None:
    bench.tell(2)
    with bench.engine.begin() as connection:
        write_health(connection, TEAM, TargetHealth(failing_since=NOW, down_since=NOW))
        reroute(connection, TEAM, "another", NOW)
    bench.keeping.shift_schedule(jump, NOW + jump)
    with bench.engine.begin() as connection:
        since = read_health(connection)[TEAM].down_since
        assert since == NOW + jump
        give_back(connection, TEAM, Missed.SUMMARY, since, NOW + jump)
    states = {(row["target"], row["state"]) for row in bench.records.deliveries()}
    assert (TEAM, "pending") in states
    assert (TEAM, "rerouted") not in states


def test_next_poll_of_a_claimed_watch_is_its_claim(bench: Bench) -> None:
    bench.watch(1)
    bench.see(bench.claim()[0], "REQUESTED")
    assert bench.records.records.snapshot().next_poll_at == NOW + MINUTE
    assert len(bench.claim(NOW + MINUTE)) == 1
    assert bench.records.records.snapshot().next_poll_at == NOW + MINUTE


def test_poll_after_a_clock_jump_keeps_its_lease(bench: Bench) -> None:
    bench.watch(1)
    bench.see(bench.claim()[0], "REQUESTED")
    jump = timedelta(hours=1)
    assert len(bench.claim(NOW + jump)) == 1
    bench.keeping.shift_schedule(jump, NOW + jump)
    assert len(bench.claim(NOW + jump + LEASE)) == 1


def test_times_that_others_wrote_after_a_jump_stay(bench: Bench) -> None:
    """Another replica may notice it earlier."""
    for jump in (timedelta(days=-1), timedelta(days=1)):
        now = NOW + jump
        bench.watch(Watch(job_id=1, group="release"), now=now)
        bench.tell(1, at=now)
        bench.keeping.shift_schedule(jump, now + timedelta(seconds=2))
        with bench.engine.begin() as connection:
            assert set(connection.execute(sa.select(groups.c.member_added_at)).scalars()) == {now}
            assert set(connection.execute(sa.select(deliveries.c.expires_at)).scalars()) == {now + KEEP_TRYING}
            connection.execute(sa.delete(deliveries))
            connection.execute(sa.delete(groups))
        bench.watch()


def test_released_claim_is_due_after_a_clock_set_back(bench: Bench) -> None:
    bench.watch(1)
    assert len(bench.claim()) == 1
    early = NOW - timedelta(hours=1)
    bench.keeping.shift_schedule(early - NOW, early)
    bench.keeping.release_claims()
    assert len(bench.claim(early + LEASE)) == 1


def test_start_after_a_clock_set_back_makes_work_due(bench: Bench) -> None:
    bench.watch(1)
    bench.tell(1)
    early = NOW - timedelta(hours=1)
    assert bench.keeping.pull_back(early) == 2
    assert bench.keeping.pull_back(early) == 0
    assert len(bench.claim(early)) == 1
    assert bench.bundle(early) is not None


def test_retention_deletes_old_finished_jobs_but_no_deliveries(
    bench: Bench,
) -> None:
    bench.watch(1, 2, 3, 4, 5)
    claims = {claim.tracked.job_id: claim for claim in bench.claim()}
    bench.see(claims[1], "SUCCESS", targets=[])
    bench.see(claims[2], "SUCCESS")
    bench.see(claims[3], "SUCCESS", targets=[])
    bench.see(claims[4], "IN_PROGRESS")
    later = NOW + timedelta(days=400)
    bench.watch(3, now=later)
    assert bench.keeping.prune(later) == 0
    assert bench.keeping.prune(later + MINUTE) == 2
    assert [job["job_id"] for job in bench.records.status()["jobs"]] == [3, 2, 4]
    assert [row["job_id"] for row in bench.records.history()] == [2, 3, 4]
    assert len(bench.records.deliveries()) == 1


def test_notes_survive_a_restart(bench: Bench) -> None:
    bench.store.record([], [], {"login": "refused", "told": ["a", "b"]})
    bench.store.record([], [], {"login": "ok"})
    assert bench.keeping.notes().items() >= {"login": "ok", "told": ["a", "b"]}.items()


def test_snapshot_counts_watched_jobs_and_deliveries(bench: Bench) -> None:
    bench.watch(1, 2, 3)
    claims = bench.claim(most=2)
    bench.see(claims[0], "SUCCESS")
    bench.see(claims[1], "REQUESTED")
    bench.tell(1, at=NOW - MINUTE)
    snapshot = bench.records.snapshot()
    assert snapshot.jobs == {None: 1, "SUCCESS": 1, "REQUESTED": 1}
    assert (snapshot.pending, snapshot.failed, snapshot.oldest_pending) == (2, 0, NOW - MINUTE)


def test_times_keep_their_zone_and_naive_ones_are_refused(bench: Bench) -> None:
    elsewhere = NOW.astimezone(tz=None).astimezone(datetime.now().astimezone().tzinfo)
    bench.watch(1, now=elsewhere)
    assert bench.claim()[0].due_at == NOW
    with pytest.raises(sa.exc.StatementError, match="without a zone"):
        bench.watch(2, now=NOW.replace(tzinfo=None))


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_frequent_queries_never_scan_a_table(bench: Bench) -> None:
    """The query plan of each statement, from SQLite itself."""
    sent: dict[str, Any] = {}

    @sa.event.listens_for(bench.engine, "before_cursor_execute")
    def _note(_: object, __: object, statement: str, parameters: Any, ___: object, many: bool) -> None:  # noqa: FBT001
        sent.setdefault(statement, parameters[0] if many else parameters)

    gem = {"storage_id": "s", "input_filename": "f", "job_type": "ROAD_MATCHING"}
    statuses = ("IN_PROGRESS", "IN_PROGRESS", "SUCCESS")  # news, none, an end
    bench.watch(*range(1, 11))
    sent.clear()  # the whole list is read
    bench.address(TEAM)
    for number, status in enumerate(statuses):
        at = NOW + number * 2 * MINUTE
        reports = []
        for claim in bench.claim(at):
            answer = seen(at, {"job_id": claim.tracked.job_id, "status": status, **gem})
            reports.append(report_on(claim, at, decide(claim.tracked, answer, Policy(), 0.5)))
        assert len(reports) == 10
        bench.store.record(reports)
    bundle = bench.bundle(at)
    assert bundle is not None
    settled = [settle(one, Sent(), at) for one in bundle.deliveries]
    bench.store.settle(settled, pull_forward=TEAM, now=at)

    plans = {}
    with bench.engine.connect() as connection:
        for statement, parameters in list(sent.items()):
            if statement.split()[0] in {"SELECT", "UPDATE", "DELETE"}:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plans[statement] = [row.detail for row in rows]
    tables = "|".join(table.name for table in metadata.sorted_tables)
    whole = {s: plan for s, plan in plans.items() if any(re.match(rf"SCAN ({tables})\b", step) for step in plan)}
    assert whole == {}
    steps = " ".join(step for plan in plans.values() for step in plan)
    for index in ("ix_watches_due_at", "ix_deliveries_target_due_at", "ix_runs_storage_id_input_filename_job_type"):
        assert index in steps


def test_edit_reads_no_job_that_is_not_watched(bench: Bench) -> None:
    """A store remembers jobs for a year. Each edit took memory for all of them."""
    bench.watch(*range(1, 101))
    bench.watch(1, 2)
    read: list[tuple[str, Any]] = []

    @sa.event.listens_for(bench.engine, "before_cursor_execute")
    def _note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if statement.startswith("SELECT") and "FROM watches" in statement:
            read.append((statement, parameters))

    bench.watch(1, 2, 3)
    with bench.engine.connect() as connection:
        counts = [len(connection.exec_driver_sql(*one).all()) for one in list(read)]
    assert 3 <= sum(counts) <= 10
    assert {row["job_id"] for row in bench.records.status()["jobs"] if row["watched"]} == {1, 2, 3}


def test_claim_has_the_whole_memory(bench: Bench) -> None:
    watch = Watch(job_id=9, name="Nine", notify=(MAIL, TEAM), every=timedelta(minutes=5))
    bench.watch(watch)
    memory = replace(bench.claim()[0].tracked.memory, misses=2, refused_at=NOW, reported_missing=True, last_error="x")
    with bench.engine.begin() as connection:
        values = {"misses": 2, "refused_at": NOW, "reported_missing": True, "last_error": "x", "due_at": NOW}
        connection.execute(sa.update(watches).values(values))
    tracked = bench.claim()[0].tracked
    assert (tracked.memory, tracked.every) == (memory, timedelta(minutes=5))


def test_targets_are_chosen_when_an_end_is_recorded(
    bench: Bench,
) -> None:
    bench.watch(Watch(job_id=7, name="Old", notify=("old",)))
    claim = bench.claim()[0]
    bench.watch(Watch(job_id=7, name="New", notify=("new",)))
    bench.see(claim, "SUCCESS", targets=["new", "other"])
    bundle = bench.bundle(target="new")
    assert bundle is not None
    assert bundle.deliveries[0].event.name == "New"
    assert [row["target"] for row in bench.records.deliveries()] == ["new"]


def test_shorter_interval_applies_during_a_poll(bench: Bench) -> None:
    bench.watch(Watch(job_id=7, every=timedelta(days=1)))
    stale = bench.claim()[0]
    bench.watch(Watch(job_id=7, every=timedelta(seconds=1)))
    assert bench.see(stale, "REQUESTED") == ()
    assert bench.claim()[0].tracked.every == timedelta(seconds=1)


def test_witness_is_another_unrefused_job_and_becomes_due(bench: Bench) -> None:
    bench.watch(1, 2)
    assert bench.store.call_witness(NOW, 1)
    for claim in bench.claim():
        bench.see(claim, "REQUESTED")
    assert bench.claim() == []
    assert bench.store.call_witness(NOW, 1)
    assert [claim.tracked.job_id for claim in bench.claim()] == [2]
    with bench.engine.begin() as connection:
        connection.execute(sa.update(watches).where(watches.c.job_id == 2).values(refused_at=NOW))
    assert not bench.store.call_witness(NOW, 1)


def test_nan_and_infinity_are_printed_as_valid_json(bench: Bench) -> None:
    bench.watch(7)
    claim = bench.claim()[0]
    answer = seen(NOW, {"job_id": 7, "status": "REQUESTED", "novelty": float("nan")})
    bench.store.record([report_on(claim, NOW, decide(claim.tracked, answer, Policy(), 0.5))])
    assert bench.job(7)["details"]["novelty"] is None
