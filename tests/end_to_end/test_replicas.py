"""Several replicas of the program on one PostgreSQL database: they share the work, and each may die at any time."""

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from gemwatch.core.settings import Postgresql
from support.gem import Answer, ScriptedGem
from support.inbox import Inbox
from support.pgbouncer import pgbouncer
from support.postgresql import address_of, at_port, new_database, restart
from support.proxy import Proxy
from support.replicas import TAKEN_OVER, replicas
from support.tools import needs
from support.waiting import wait_until


@pytest.fixture
def empty() -> Iterator[Postgresql]:
    with new_database(empty=True) as database:
        yield database


@pytest.fixture
def database() -> Iterator[Postgresql]:
    with new_database() as database:
        yield database


def test_replicas_share_300_jobs_and_take_over_after_a_kill(
    tmp_path: Path, gem: ScriptedGem, inbox: Inbox, empty: Postgresql
) -> None:
    jobs = range(1, 301)
    for job_id in jobs:
        gem.answers(job_id, "IN_PROGRESS")
    with replicas(tmp_path, gem, inbox, empty, watch=[*jobs], poll={"every": "10s"}) as three:
        three.start_at_once()  # each of them would make the tables
        wait_until(lambda: all(three.polls()), "a poll by each", patience=TAKEN_OVER)
        since = len(gem.requests)
        wait_until(lambda: sum(three.polls(since)) >= 600, "two polls of every job", patience=TAKEN_OVER)
        polls = three.polls(since)
        assert min(polls) >= sum(polls) / 4, polls
        assert 0 < three.connections() <= 3 * len(three)
        victim, held = three.leader(), threading.Event()
        assert victim is not None
        for job_id in jobs:
            gem.answers(job_id, Answer(status=500, hold=held))  # so that it dies with polls under way
        since = len(gem.requests)
        wait_until(lambda: victim.polled(since), "polls that are under way")
        in_hand = set(victim.polled(since))
        victim.kill()
        since = len(gem.requests)
        for job_id in jobs:
            gem.answers(job_id, "SUCCESS")
        held.set()
        others = [one for one in three if one is not victim]
        wait_until(
            lambda: in_hand <= {job_id for one in others for job_id in one.polled(since)},
            "polls of the jobs that it had in hand",
            patience=TAKEN_OVER,
        )
        wait_until(three.settled, "every end", patience=TAKEN_OVER)
        assert inbox.reported("team") == Counter(jobs)
        wait_until(lambda: three.leader() not in (None, victim), "a new leader", patience=TAKEN_OVER)
        for one in others:
            assert one.stop() == 0


def test_max_rate_holds_for_all_replicas(
    tmp_path: Path, gem: ScriptedGem, inbox: Inbox, database: Postgresql
) -> None:
    rate, jobs = 20, range(1, 81)
    for job_id in jobs:
        gem.answers(job_id, "IN_PROGRESS")
    with replicas(tmp_path, gem, inbox, database, watch=[*jobs], poll={"every": "1s"}) as three:
        for one in three:
            one.document["api"]["max_rate"] = rate
        three.configure()
        three.start()
        wait_until(lambda: min(three.polls()) > 3, "polls of each", patience=TAKEN_OVER)
        since = len(gem.requests)
        wait_until(lambda: len(gem.requests) >= since + 120, "many polls", patience=TAKEN_OVER)
        times = [request.at for request in gem.requests[since:]]
        slack = 1.0  # seconds that a busy machine may delay the first of them
        assert len(times) <= rate * (times[-1] - times[0] + slack) + 2 * len(three)
        assert min(three.polls(since)) > 120 / 3 / 2
        three.stop()


def test_frozen_leader_comes_back_as_a_follower(
    tmp_path: Path, gem: ScriptedGem, inbox: Inbox, database: Postgresql
) -> None:
    for job_id in range(7, 11):
        gem.answers(job_id, "IN_PROGRESS")
    gem.answers(11, "SUCCESS")
    with replicas(tmp_path, gem, inbox, database, 2, watch=[7, 8]) as both:

        def watched() -> list[int]:
            return [job["job_id"] for job in both.records.status()["jobs"] if job["watched"]]

        both.start()
        wait_until(watched, "the watch list")
        frozen = both.leader()
        assert frozen is not None
        frozen.freeze()
        (other,) = (one for one in both if one is not frozen)
        other.configure(watch=[8, 9])
        wait_until(lambda: other.logged("config_only_added"), "a new leader", patience=TAKEN_OVER)
        wait_until(lambda: watched() == [7, 8, 9], "what the new leader adds")
        other.configure(watch=[9, 10, 11])  # each of the replicas polls one of the first two
        wait_until(lambda: watched() == [9, 10, 11], "its edit")
        wait_until(lambda: inbox.reported("team") == Counter([11]), "the end of an added job")
        frozen.configure(watch=[12])
        since = len(gem.requests)
        frozen.go_on()
        wait_until(lambda: frozen.logged("config_read"), "the follower's own configuration")
        wait_until(lambda: frozen.polled(since), "polls of the one that was frozen", patience=TAKEN_OVER)
        assert watched() == [9, 10, 11]
        for job_id in (9, 10):
            gem.answers(job_id, "SUCCESS")
        wait_until(both.settled, "both ends", patience=TAKEN_OVER)
        assert inbox.reported("team") == Counter([9, 10, 11])
        both.stop()


def test_outages_of_the_database_lose_nothing(
    tmp_path: Path, gem: ScriptedGem, inbox: Inbox, database: Postgresql
) -> None:
    with Proxy(address_of(database)) as proxy:
        place = at_port(database, proxy.port)
        with replicas(tmp_path, gem, inbox, place, 2, watch=[*range(1, 41)]) as both:
            for job_id in range(1, 41):
                gem.answers(job_id, "IN_PROGRESS")
            both.start()
            wait_until(lambda: min(both.polls()) > 10, "polls of both")

            def ends(first: int, last: int) -> None:
                for job_id in range(first, last + 1):
                    gem.answers(job_id, "SUCCESS")

            def settled(last: int) -> None:
                wait_until(
                    lambda: inbox.reported("team").keys() >= set(range(1, last + 1)), "ends", patience=TAKEN_OVER
                )

            for cut, last in ((proxy.before_commit, 10), (proxy.after_commit, 20)):
                before = proxy.cuts
                cut()
                ends(last - 9, last)
                wait_until(lambda: proxy.cuts > before, "a cut")  # noqa: B023
                settled(last)
            restart("fast")
            ends(21, 30)
            settled(30)
            wait_until(lambda: not both.records.deliveries("pending"), "what is in flight")
            proxy.stalled = True
            ends(31, 35)
            proxy.cut()
            proxy.stalled = False
            restart("immediate")
            ends(36, 40)
            settled(40)
            wait_until(both.settled, "everything", patience=TAKEN_OVER)
            repeated = {job_id for job_id, times in inbox.reported("team").items() if times > 1}
            assert repeated <= set(range(31, 36))  # a send may have been in flight when the server crashed
            both.stop()


@needs("pgbouncer")
def test_replicas_work_through_pgbouncer(
    tmp_path: Path, gem: ScriptedGem, inbox: Inbox, database: Postgresql
) -> None:
    jobs = range(1, 41)
    for job_id in jobs:
        gem.answers(job_id, "IN_PROGRESS")
    with (
        pgbouncer(database) as place,
        replicas(tmp_path, gem, inbox, place, 2, watch=[*jobs]) as both,
    ):
        both.start()
        wait_until(lambda: min(both.polls()) > 40, "polls of both")
        both[0].kill()
        both[0].age()
        for job_id in jobs:
            gem.answers(job_id, "SUCCESS")
        both[0].start()
        wait_until(both.settled, "every end", patience=TAKEN_OVER)
        assert inbox.reported("team").keys() == set(jobs)
        both.stop()


@needs("faketime")
def test_clocks_that_differ_by_an_hour_do_no_harm(
    tmp_path: Path, gem: ScriptedGem, inbox: Inbox, database: Postgresql
) -> None:
    jobs = range(1, 31)
    for job_id in jobs:
        gem.answers(job_id, "IN_PROGRESS")
    with replicas(tmp_path, gem, inbox, database, 2, watch=[*jobs]) as both:
        both[0].start(hours=1)
        both[1].start()
        wait_until(lambda: min(both.polls()) > 60, "polls of both")
        since = len(gem.requests)
        wait_until(lambda: len(gem.requests) > since + 90, "more polls")
        asked = [request for request in gem.requests if request.job_id == 1]
        assert min(later.at - earlier.at for earlier, later in pairwise(asked)) > 0.4  # nobody polls early
        for job_id in jobs:
            gem.answers(job_id, "SUCCESS")
        wait_until(both.settled, "every end", patience=TAKEN_OVER)
        assert inbox.reported("team") == Counter(jobs)
        both.stop()
