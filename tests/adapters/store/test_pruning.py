"""What is remembered about lists and groups is forgotten with the retention, and not earlier."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.discovery.found import Discoveries
from gemwatch.adapters.store.groups import join_groups
from gemwatch.adapters.store.housekeeping import Housekeeping
from gemwatch.adapters.store.tables import discovered, groups, rules, watches
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.job import JobDetails
from gemwatch.core.settings import Rule, Watch

NOW = datetime(2026, 2, 18, 12, tzinfo=UTC)
KEEP, HOUR, EVERY = timedelta(days=30), timedelta(hours=1), timedelta(minutes=1)
RULE = Rule(input="nl_*", max=2, requested_within=timedelta(days=365), watch=Watch(job_id=0, group="release"))


class Lists:
    """A store that takes lists, and is pruned."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.discoveries, self.list, self.keeping = Discoveries(engine), WatchList(engine), Housekeeping(engine)

    def apply(self, now: datetime, *in_force: Rule, watches: Iterable[Watch] = ()) -> None:
        self.list.apply([*watches], EVERY, now, in_force)

    def take(self, now: datetime, statuses: dict[int, str], requested_at: datetime = NOW + HOUR) -> list[int]:
        """A list with these jobs. Returns the ids of those that it added."""
        jobs = [
            JobDetails(job_id=job_id, status=status, input_filename="nl_1", requested_at=requested_at)
            for job_id, status in statuses.items()
        ]
        self.discoveries.end([RULE], now)
        done = self.discoveries.add([(RULE, job) for job in jobs], statuses.keys(), EVERY, now)
        return [job_id for job_id, _ in done.added]

    def ended(self, *job_ids: int) -> None:
        with self.engine.begin() as connection:
            mine = watches.c.job_id.in_(job_ids)
            connection.execute(sa.update(watches).where(mine).values(status="SUCCESS", due_at=None))

    def rows(self, column: sa.Column[int] | sa.Column[str]) -> list[int | str]:
        with self.engine.begin() as connection:
            return sorted(connection.execute(sa.select(column)).scalars())


@pytest.fixture
def lists(engine: sa.Engine) -> Lists:
    lists = Lists(engine)
    lists.apply(NOW, RULE)
    return lists


def test_found_and_excluded_jobs_stay_while_they_are_listed(lists: Lists) -> None:
    assert lists.take(NOW, {1: "IN_PROGRESS", 2: "IN_PROGRESS", 3: "SUCCESS"}) == [1, 2, 3]
    assert lists.take(NOW, {9: "SUCCESS"}, NOW - HOUR) == []  # it had ended before the rule was applied
    with lists.discoveries.excluding([2, 4], NOW):
        pass
    lists.ended(1, 3)
    lists.apply(NOW)
    lists.discoveries.end([], NOW)  # without the rule, the watches of ended jobs end
    later = NOW + 2 * KEEP
    lists.apply(later, RULE)
    assert lists.take(later, {1: "SUCCESS", 2: "SUCCESS", 9: "SUCCESS"}) == []
    lists.keeping.prune(later - KEEP)
    assert lists.rows(watches.c.job_id) == []
    assert lists.rows(discovered.c.job_id) == [1, 2, 9]
    assert lists.take(later, {1: "SUCCESS", 2: "SUCCESS", 9: "IN_PROGRESS"}) == [9]
    lists.keeping.prune(later + KEEP)
    assert lists.rows(discovered.c.job_id) == [9]  # is watched


def test_nothing_is_forgotten_while_lists_cannot_be_read(lists: Lists) -> None:
    lists.take(NOW, {1: "SUCCESS"})
    with lists.discoveries.excluding([2], NOW):
        pass
    lists.ended(1)
    lists.apply(NOW)
    lists.discoveries.end([], NOW)
    lists.keeping.prune(NOW + KEEP, lists_known=False)
    assert lists.rows(discovered.c.job_id) == [1, 2]
    assert lists.rows(rules.c.key) != []
    lists.keeping.prune(NOW + KEEP)
    assert lists.rows(discovered.c.job_id) == []


def test_rule_that_was_removed_long_ago_is_first_applied_again(lists: Lists) -> None:
    lists.apply(NOW + HOUR)
    lists.keeping.prune(NOW - HOUR)
    assert len(lists.rows(rules.c.key)) == 1
    lists.keeping.prune(NOW + KEEP)
    assert lists.rows(rules.c.key) == []
    lists.apply(NOW + KEEP, RULE)
    assert lists.take(NOW + KEEP, {1: "SUCCESS"}) == []


def test_ended_jobs_leave_room_below_the_cap(lists: Lists) -> None:
    assert lists.take(NOW, dict.fromkeys((1, 2, 3), "IN_PROGRESS")) == [1, 2]
    lists.ended(1, 2)
    assert lists.take(NOW, dict.fromkeys((1, 2, 3), "IN_PROGRESS")) == [3]


def test_group_is_forgotten_with_its_last_job(lists: Lists) -> None:
    lists.apply(NOW, watches=[Watch(job_id=1, group="release"), Watch(job_id=2, group="other")])
    lists.ended(1, 2)
    lists.apply(NOW, watches=[Watch(job_id=2, group="other")])
    lists.keeping.prune(NOW)
    assert lists.rows(groups.c.name) == ["other", "release"]
    lists.keeping.prune(NOW + KEEP)
    assert lists.rows(groups.c.name) == ["other"]
    with lists.engine.begin() as connection:
        join_groups(connection, ["release"], NOW)
    lists.keeping.prune(NOW)
    assert lists.rows(groups.c.name) == ["other"]
