"""The replicas on one PostgreSQL store: rows, leases, claims, and what a replica that was frozen cannot do."""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import AlreadyRunningError, leading, open_to_read, open_to_write
from gemwatch.adapters.store.databases.leases import Exclusive
from gemwatch.adapters.store.databases.replicas import ReplicaRow, live_replicas
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.info import writer_of
from gemwatch.adapters.store.notes import write_notes
from gemwatch.adapters.store.reads.records import Records
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.tables import deliveries, replicas, service, watches
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.events import Target
from gemwatch.core.health import ApiState, Login
from gemwatch.core.kinds import EventKind
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Policy
from gemwatch.core.settings import Postgresql, Watch
from gemwatch.core.sharing.polls import FOR_ANY_AFTER
from gemwatch.core.sharing.rate import Share
from gemwatch.core.sharing.replicas import FRESH_FOR, NotLeaderError, Refreshed, is_fresh
from gemwatch.core.sharing.watch_lists import WatchListMark
from gemwatch.core.target_health import Aftermath, SentText
from gemwatch.core.text.rendering import Format
from gemwatch.core.work import NotSent, Sent, report_on, settle
from support.events import event_of, seen
from support.gem import document
from support.postgresql import daemon_on, new_database

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
LEASE = timedelta(minutes=10)
TEAM = Target(name="team", url="json://127.0.0.1", on=frozenset(EventKind))


class Daemon:
    """A daemon's side of the store."""

    def __init__(self, place: Postgresql) -> None:
        self.engine = open_to_write(place)
        self.member = ReplicaRow(self.engine, time.monotonic)
        self.store = Store(self.engine, [TEAM], self.member)
        self.watch_list = WatchList(self.engine)

    def refresh(self, *targets: str) -> Refreshed:
        return self.member.refresh(Login.OK, None, targets or ("team",))

    def close(self) -> None:
        self.engine.dispose()


@pytest.fixture
def place() -> Iterator[Postgresql]:
    with new_database() as database:
        yield database


@pytest.fixture
def first(place: Postgresql) -> Iterator[Daemon]:
    daemon = Daemon(place)
    daemon.refresh()
    yield daemon
    daemon.close()


@pytest.fixture
def second(first: Daemon, place: Postgresql) -> Iterator[Daemon]:
    daemon = Daemon(place)
    daemon.refresh()
    yield daemon
    daemon.close()


def age(place: Postgresql, seconds: float, *, only: Daemon | None = None) -> None:
    """Time passes for all rows and leases, or for those of one replica."""
    engine, by = open_to_write(place), int(seconds * 1_000_000)
    with engine.begin() as connection:
        for table, column, key in (("replicas", "seen_at", "id"), ("leases", "expires_at", "holder")):
            whose = "" if only is None else f" WHERE {key} = '{only.member.id}'"
            connection.execute(sa.text(f"UPDATE {table} SET {column} = {column} - :by{whose}"), {"by": by})
    engine.dispose()


# Rows


def test_replicas_see_each_other_until_they_leave(place: Postgresql, first: Daemon) -> None:
    other = Daemon(place)
    both = other.member.refresh(Login.REFUSED, "list-1", ()).replicas
    assert [(one.id, one.login, one.watch_list, one.leader) for one in both] == [
        (first.member.id, Login.OK, None, True),
        (other.member.id, Login.REFUSED, "list-1", False),
    ]
    assert {(one.host, one.pid) for one in both} == {(os.uname().nodename, os.getpid())}
    other.member.leave()
    assert [one.id for one in first.refresh().replicas] == [first.member.id]
    other.close()


def test_refresh_keeps_the_start_and_returns_the_database_time(first: Daemon) -> None:
    before, after = first.refresh(), first.refresh()
    with first.engine.begin() as connection:
        now: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    assert before.now < after.now <= now < after.now + timedelta(minutes=5)
    assert before.replicas[0].started_at == after.replicas[0].started_at < after.replicas[0].seen_at


@pytest.mark.parametrize(("age", "fresh"), [(0.0, True), (9.9, True), (FRESH_FOR, False)])
def test_old_refresh_is_not_fresh(age: float, *, fresh: bool) -> None:
    refreshed = Refreshed(now=NOW, began=100.0, ended=101.0)
    assert is_fresh(refreshed, 100.0 + age) is fresh
    assert not is_fresh(None, 100.0)


def test_writer_of_a_store_is_the_leader(place: Postgresql) -> None:
    assert writer_of(place) is None
    with daemon_on(place):
        writer = writer_of(place)
        assert writer is not None
        assert (writer.pid, str(writer).endswith(f" on {os.uname().nodename}")) == (os.getpid(), True)
    assert writer_of(place) is None


# The leader


def test_first_leads_and_the_second_follows_until_it_ends(place: Postgresql, first: Daemon, second: Daemon) -> None:
    assert (first.refresh().leads, second.refresh().leads) == (True, False)
    age(place, 21, only=first)
    taken = second.refresh()
    assert (taken.leads, taken.term, first.refresh().leads) == (True, 1, False)
    again = second.refresh()
    assert (again.leads, again.term) == (True, 1)


def test_leader_that_stops_gives_the_lease_up(first: Daemon, second: Daemon) -> None:
    first.member.leave()
    assert second.refresh().leads


def test_lease_that_nobody_took_continues(place: Postgresql, first: Daemon) -> None:
    age(place, 60, only=first)
    refreshed = first.refresh()
    assert (refreshed.leads, refreshed.term) == (True, 1)


def test_former_leader_writes_nothing(place: Postgresql, first: Daemon, second: Daemon) -> None:
    age(place, 21, only=first)
    assert second.refresh().leads
    with pytest.raises(NotLeaderError):
        first.watch_list.apply([Watch(job_id=7)], LEASE, NOW)
    with pytest.raises(NotLeaderError):
        first.store.record([], [event_of(EventKind.API, at=NOW)], {"api": "down"}, as_leader=True)
    with pytest.raises(NotLeaderError):
        Housekeeping(first.engine).prune(NOW)
    with first.engine.begin() as connection:  # and its connection still works
        assert connection.execute(sa.select(watches)).first() is None
        assert connection.execute(sa.select(deliveries)).first() is None
        assert connection.execute(sa.select(service.c.value).where(service.c.name == "api")).first() is None


def test_nobody_leads_during_a_transaction_of_the_leader(place: Postgresql, first: Daemon, second: Daemon) -> None:
    with leading(first.engine).begin():
        age_leases = open_to_write(place)
        with age_leases.connect() as connection:
            connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
            with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
                connection.exec_driver_sql("UPDATE leases SET expires_at = 0 WHERE name = 'leader'")
        age_leases.dispose()
        assert not second.refresh().leads  # and does not wait


def test_expired_leader_in_a_transaction_is_not_replaced(place: Postgresql, first: Daemon, second: Daemon) -> None:
    age(place, 21, only=first)
    with leading(first.engine).begin():
        assert not second.refresh().leads
    assert second.refresh().leads


# Claims


def test_replicas_share_the_due_watches(first: Daemon, second: Daemon) -> None:
    first.watch_list.apply([Watch(job_id=job_id) for job_id in range(1, 7)], LEASE, NOW)
    mine, theirs = first.store.claim_watches(NOW, 3, LEASE), second.store.claim_watches(NOW, 6, LEASE)
    ids = [claim.tracked.job_id for claim in (*mine, *theirs)]
    assert (len(mine), len(theirs), sorted(ids)) == (3, 3, [1, 2, 3, 4, 5, 6])


@pytest.mark.parametrize("step", [1, 2, 3, 10, 1000])
def test_each_replica_claims_an_equal_share_first(first: Daemon, step: int) -> None:
    jobs = [123_456_789 + step * number for number in range(300)]
    first.watch_list.apply([Watch(job_id=job_id) for job_id in jobs], LEASE, NOW)
    mine = [first.store.claim_watches(NOW, 300, LEASE, Share(parts=3, place=place)) for place in range(3)]
    assert sorted(claim.tracked.job_id for claims in mine for claim in claims) == jobs
    assert min(map(len, mine)) > 300 / 3 * 0.8


def test_jobs_of_others_are_claimed_a_moment_later(first: Daemon, second: Daemon) -> None:
    first.watch_list.apply([Watch(job_id=job_id) for job_id in range(1, 7)], LEASE, NOW)
    one, two = (Share(parts=2, place=place) for place in range(2))
    mine = first.store.claim_watches(NOW, 6, LEASE, one)
    assert first.store.claim_watches(NOW, 6, LEASE, one) == []
    assert (first.store.next_due(one), second.store.next_due(two)) == (NOW + FOR_ANY_AFTER, NOW)
    rest = first.store.claim_watches(NOW + FOR_ANY_AFTER, 6, LEASE, one)
    assert 0 < len(mine) < 6
    assert len(mine) + len(rest) == 6
    assert second.store.next_due(two) == NOW + FOR_ANY_AFTER + LEASE


def test_claims_of_a_dead_replica_are_taken_over(place: Postgresql, first: Daemon, second: Daemon) -> None:
    first.watch_list.apply([Watch(job_id=7)], LEASE, NOW)
    (claim,) = first.store.claim_watches(NOW, 1, LEASE)
    second.refresh()
    assert second.store.claim_watches(NOW, 1, LEASE) == []
    age(place, 31, only=first)
    assert [one.id for one in second.refresh().replicas] == [second.member.id]
    (taken,) = second.store.claim_watches(NOW, 1, LEASE)
    first.refresh()  # it was only frozen
    verdict = decide(claim.tracked, seen(NOW, document(7, "SUCCESS")), Policy(), 0.5)
    assert first.store.record([report_on(claim, NOW, verdict)]).reports == ()
    recorded = second.store.record([report_on(taken, NOW, verdict)])
    assert [one.verdict.job_id for one in recorded.reports] == [7]


@pytest.mark.parametrize("quiet", [True, False])
def test_ticket_names_the_replica(first: Daemon, second: Daemon, *, quiet: bool) -> None:
    first.watch_list.apply([Watch(job_id=7)], LEASE, NOW)
    (claim,) = first.store.claim_watches(NOW, 1, LEASE)
    verdict = decide(claim.tracked, seen(NOW, document(7, "REQUESTED")), Policy(), 0.5)
    report = report_on(claim, NOW, verdict)
    if quiet:
        first.store.record([report])
        (claim,) = first.store.claim_watches(NOW + LEASE * 2, 1, LEASE)
        verdict = decide(claim.tracked, seen(claim.claim, document(7, "REQUESTED")), Policy(), 0.5)
        report = report_on(claim, claim.claim, verdict)
        assert report.quiet
    with second.engine.begin() as connection:
        before = connection.execute(sa.select(watches)).one()
    second.store.record([report])
    with second.engine.begin() as connection:
        assert connection.execute(sa.select(watches)).one() == before


def test_replica_with_an_old_row_claims_nothing(place: Postgresql, first: Daemon) -> None:
    first.watch_list.apply([Watch(job_id=7)], LEASE, NOW)
    first.store.record([], [event_of(EventKind.LOGIN, at=NOW)])
    age(place, 11, only=first)
    assert first.store.claim_watches(NOW, 1, LEASE) == []
    assert first.store.claim_deliveries(NOW, ["team"], LEASE) == []
    first.refresh()
    assert (
        len(first.store.claim_watches(NOW, 1, LEASE)) == len(first.store.claim_deliveries(NOW, ["team"], LEASE)) == 1
    )


def test_start_releases_no_claim_of_a_living_replica(place: Postgresql, first: Daemon, second: Daemon) -> None:
    first.watch_list.apply([Watch(job_id=7), Watch(job_id=8)], LEASE, NOW)
    first.store.claim_watches(NOW, 1, LEASE)
    second.store.claim_watches(NOW, 1, LEASE)
    with second.engine.begin() as connection:  # as if it had been forgotten in between
        connection.execute(sa.text("DELETE FROM replicas WHERE id = :me"), {"me": second.member.id})
    starting = Daemon(place)
    starting.refresh()
    Housekeeping(starting.engine).release_claims()
    claims = starting.store.claim_watches(NOW, 9, LEASE)
    with starting.engine.begin() as connection:
        held = connection.execute(sa.select(watches.c.claimed_by).where(watches.c.claim.is_not(None))).scalars().all()
    assert sorted(held) == sorted([first.member.id, starting.member.id])
    assert len(claims) == 1
    starting.close()


def test_stopped_replica_leaves_no_claim_behind(first: Daemon, second: Daemon) -> None:
    first.watch_list.apply([Watch(job_id=7)], LEASE, NOW)
    first.store.record([], [event_of(EventKind.LOGIN, at=NOW)])
    assert (
        len(first.store.claim_watches(NOW, 1, LEASE)) == len(first.store.claim_deliveries(NOW, ["team"], LEASE)) == 1
    )
    first.member.leave()
    second.refresh()
    assert len(second.store.claim_watches(NOW, 1, LEASE)) == 1
    assert len(second.store.claim_deliveries(NOW, ["team"], LEASE)) == 1


def test_idle_follower_changes_no_marker(place: Postgresql, first: Daemon, second: Daemon) -> None:
    reading = open_to_read(place)
    with reading.begin() as connection:
        before = dialects.marker(connection)
    assert second.store.claim_watches(NOW, 10, LEASE) == []
    assert first.store.claim_deliveries(NOW, ["team"], LEASE) == []
    assert first.store.close_groups(NOW) == []
    with reading.begin() as connection:
        assert dialects.marker(connection) == before
    reading.dispose()


# Targets


def test_one_replica_sends_to_a_target(place: Postgresql, first: Daemon, second: Daemon) -> None:
    assert (first.refresh("team").targets, second.refresh("team", "mail").targets) == ({"team"}, {"mail"})
    first.store.record([], [event_of(EventKind.LOGIN, at=NOW)])
    assert second.store.claim_deliveries(NOW, ["team"], LEASE) == []
    assert len(first.store.claim_deliveries(NOW, ["team"], LEASE)) == 1
    age(place, 21, only=first)
    assert second.refresh("team", "mail").targets == {"team", "mail"}


def test_target_that_a_replica_no_longer_has_is_given_up(first: Daemon, second: Daemon) -> None:
    first.refresh("mail")
    assert second.refresh("team").targets == {"team"}


def test_frozen_sender_records_nothing_about_its_target(place: Postgresql, first: Daemon, second: Daemon) -> None:
    first.store.record([], [event_of(EventKind.LOGIN, at=NOW)])
    (bundle,) = first.store.claim_deliveries(NOW, ["team"], LEASE)
    age(place, 31, only=first)
    second.refresh("team")
    (taken,) = second.store.claim_deliveries(NOW, ["team"], LEASE)
    text = SentText(carried=(bundle.deliveries[0].id,), title="title", body="body", format=Format.TEXT)
    aftermath = Aftermath(target="team", events=(event_of(EventKind.TARGET, at=NOW),), text=text)
    first.refresh("team")
    assert first.store.settle([settle(bundle.deliveries[0], Sent(), NOW)], aftermath=aftermath, now=NOW) == []
    recorded = second.store.settle([settle(taken.deliveries[0], Sent(), NOW)], aftermath=aftermath, now=NOW)
    assert len(recorded) == 1


# The watch list and who receives what


@pytest.mark.parametrize("by_other", [False, True])
def test_sent_without_a_claim_is_settled_if_nobody_sends(
    place: Postgresql, first: Daemon, second: Daemon, *, by_other: bool
) -> None:
    first.store.record([], [event_of(EventKind.LOGIN, at=NOW)])
    (bundle,) = first.store.claim_deliveries(NOW, ["team"], LEASE)
    with first.engine.begin() as connection:  # as after a crash of PostgreSQL
        connection.execute(sa.update(deliveries).values(claim=None, due_at=NOW))
    if by_other:
        age(place, 60, only=first)
        second.refresh()
        assert second.store.claim_deliveries(NOW, ["team"], LEASE)
    later = NOW + timedelta(seconds=1)
    failed = [settle(one, NotSent(reason="no"), later) for one in bundle.deliveries]
    sent = [settle(one, Sent(), later) for one in bundle.deliveries]
    first.store.settle(failed, now=later)
    first.store.settle(sent, now=later)
    with first.engine.begin() as connection:
        row = connection.execute(sa.select(deliveries)).one()
    assert (row.state, row.attempts) == (("pending", 0) if by_other else ("sent", 1))


def test_login_word_of_a_newer_version_is_unknown(place: Postgresql, first: Daemon) -> None:
    with first.engine.begin() as connection:
        connection.execute(sa.update(replicas).values(login="paused"))
        write_notes(connection, {"login": "paused", "api": "slow"})
    reader = open_to_read(place)
    with reader.begin() as connection:
        assert [one.login for one in live_replicas(connection)] == [Login.UNKNOWN]
    shown = Records(reader).status().service
    reader.dispose()
    assert (shown.login, shown.api) == (Login.UNKNOWN, ApiState.UNKNOWN)


def test_audience_is_the_one_of_the_leader(first: Daemon, second: Daemon) -> None:
    first.store.address([TEAM, Target(name="mail", url="json://127.0.0.1", on=frozenset({EventKind.SUCCESS}))], {})
    (recorded,) = second.store.record([], [event_of(EventKind.LOGIN, at=NOW)]).events
    assert recorded.targets == ("team",)
    first.store.address([Target(name="other", url="json://127.0.0.1", on=frozenset(EventKind))], {}, only_add=True)
    (recorded,) = second.store.record([], [event_of(EventKind.API, at=NOW)]).events
    assert recorded.targets == ("team", "other")
    with second.engine.begin() as connection:
        assert "127.0.0.1" not in str(connection.execute(sa.select(service.c.value)).scalars().all())


def test_outdated_watch_list_adds_and_removes_nothing(first: Daemon) -> None:
    mark = WatchListMark(digest="1", place="a:/etc/gemwatch.yaml")
    first.watch_list.apply([Watch(job_id=7, name="new"), Watch(job_id=8)], LEASE, NOW, mark=mark)
    older = WatchListMark(digest="2", place="b:/etc/gemwatch.yaml")
    old = [Watch(job_id=7, name="old"), Watch(job_id=9)]
    applied = first.watch_list.apply(old, LEASE, NOW, mark=older, only_add=True)
    assert (applied.added, applied.changed, applied.removed) == (1, 0, 0)
    assert first.watch_list.mark() == mark
    with first.engine.begin() as connection:
        rows = connection.execute(sa.select(watches.c.job_id, watches.c.name).where(watches.c.watched)).all()
    assert sorted(rows) == [(7, "new"), (8, None), (9, None)]


# Commands that need the store for themselves


def test_command_is_refused_while_a_daemon_lives(place: Postgresql) -> None:
    refusal = rf"as process {os.getpid()} on .*Stop it first"
    with daemon_on(place), pytest.raises(AlreadyRunningError, match=refusal):
        Exclusive(place).__enter__()


def test_command_waits_for_the_end_of_a_killed_daemon(place: Postgresql, first: Daemon) -> None:
    waiting = threading.Thread(target=age, args=(place, 31))
    waiting.start()
    with Exclusive(place) as lock:
        engine = open_to_write(place, lock=lock)
        with engine.begin() as connection:
            assert live_replicas(connection) == []
        engine.dispose()
        with first.engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM replicas"))
        with pytest.raises(AlreadyRunningError, match="a command such as"):
            first.refresh()
    waiting.join()
    assert first.refresh().leads
