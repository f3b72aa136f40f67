"""The machine with rules, groups and odd lists."""

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from gemwatch.adapters.store.tables import events, groups, watches
from gemwatch.core.job import ENDS, is_end
from gemwatch.core.settings import Rule, Settings, Watch
from model.machine import TARGETS, Gemwatch
from support.odd_lists import Lists
from support.simulated import EVERY
from support.world import Job

FOUND = st.integers(201, 206)  # jobs that the rule finds, if they are submitted
SUBMITTED = (201, 202)  # of these, before the first start
PAST = range(301, 305)  # jobs that ended before gemwatch was installed
RULE = Rule(input="found_*", requested_within=timedelta(days=365), watch=Watch(job_id=0, group="found"))
NAMED, GROUPED = "named", (1, 2, 3)  # the group of these jobs of the watch list
AGES = (timedelta(seconds=1), timedelta(hours=5), timedelta(days=30))


class Discovering(Gemwatch):
    def _populate(self) -> None:
        world = self.world
        self.ruled = world.chance.random() < 0.7
        self.applied_at: datetime | None = None
        self.past: set[int] = set()  # had ended when the rule was first applied
        self.either: set[int] = set()  # past ones that a jump of the clock makes look like later ones
        self.named: set[int] = set()  # of those that the rule matches: by `gemwatch watch`
        self.excluded: set[int] = set()
        self.members: dict[str | None, set[int]] = {}  # by group: the jobs that have been in it
        self.again = Counter[str]()  # by group: jobs that were watched again
        self.reports: dict[str, tuple[int, int]] = {}  # by group: how often reported, and additions until then
        for job_id in PAST:
            asked = world.clock.undisturbed() - world.chance.choice(AGES)
            status = world.chance.choice(["SUCCESS", "FAILED"])
            world.jobs[job_id] = Job(job_id=job_id, status=status, ends=1, requested_at=asked)
        for job_id in SUBMITTED:
            world.jobs[job_id] = Job(job_id=job_id, requested_at=world.clock.undisturbed())

    # Actions of users and the environment

    @rule(job_id=FOUND, ended=st.booleans())
    def a_job_is_submitted(self, job_id: int, *, ended: bool) -> None:
        asked = self.world.clock.undisturbed()
        new = Job(job_id=job_id, requested_at=asked)
        if ended:  # before any list shows it
            new.status, new.ends = "SUCCESS", 1
        self.world.jobs.setdefault(job_id, new)

    @rule(job_id=FOUND, success=st.booleans())
    def a_submitted_job_moves_on(self, job_id: int, *, success: bool) -> None:
        self._move_on(job_id, success=success)

    @rule(job_id=FOUND, answer=st.sampled_from(["normal", "missing", "broken", "nonsense"]))
    def answers_about_submitted_jobs_change(self, job_id: int, answer: str) -> None:
        self.answers_change(job_id, answer)

    @rule(kind=st.sampled_from([Lists.USUAL, *Lists]))
    def lists_change(self, kind: Lists) -> None:
        self.world.lists = kind

    @rule(on=st.booleans())
    def the_rule_is_edited(self, *, on: bool) -> None:
        self.ruled = on
        self._edit()

    @rule(job_id=FOUND | st.sampled_from(PAST))
    def the_command_watches(self, job_id: int) -> None:
        """Like `gemwatch watch`: it edits the watch list, and then lets the job back."""
        if job_id not in self.world.jobs or job_id in self.watched:
            return
        self.named.add(job_id)
        row = self._row(job_id)
        if not row.get("watched"):
            self.allowed[job_id] = row.get("last_polled_at")
        self.watched.add(job_id)
        self.again["found"] += 1  # it leaves the group
        self._edit()
        self.life.discoveries.readmit([job_id])
        self.excluded.discard(job_id)

    @rule(number=st.integers(0, 9))
    def the_command_unwatches(self, number: int) -> None:
        """Like `gemwatch unwatch`: it keeps a job away, if a rule finds it perhaps, and then edits the watch list."""
        mine = sorted(self._found() or self.watched)
        if not mine:
            return
        job_id = mine[number % len(mine)]
        with self.life.discoveries.excluding([job_id], self.world.clock.now()):
            self.excluded.add(job_id)
        self.watched.discard(job_id)
        self._edit()

    # Invariants

    @invariant()
    def only_what_the_list_or_the_rule_names_is_watched(self) -> None:
        with self.life.engine.begin() as connection:
            rows = connection.execute(sa.select(watches.c.job_id, watches.c.rule).where(watches.c.watched)).all()
        assert {row.job_id for row in rows if row.rule is None} == self.watched
        found = {row.job_id for row in rows if row.rule is not None}
        assert found <= self._matching() - self.excluded
        assert self.applied_at is not None or not found

    @invariant()
    def past_jobs_are_never_reported(self) -> None:
        """But for one that a list has shown as unfinished: it may have ended just now, and no end may be lost."""
        reported = {row["job_id"] for row in self.life.records.history()}
        assert not reported & (self.past - self.named - self.world.listed_unfinished)

    @invariant()
    def a_group_is_reported_once_per_opening(self) -> None:
        """Two reports have an addition between them, so that they are about different numbers of jobs."""
        with self.life.engine.begin() as connection:
            facts = connection.execute(sa.select(events.c.facts).where(events.c.kind == "group-done")).scalars().all()
            for row in connection.execute(sa.select(watches.c.group_name, watches.c.job_id)):
                self.members.setdefault(row.group_name, set()).add(row.job_id)
        for (group, _), times in Counter((one["group"], one["members"]) for one in facts).items():
            assert times <= 1 + self.again[group], group
        for group, times in Counter(one["group"] for one in facts).items():
            before, until_then = self.reports.get(group, (0, 0))
            additions = len(self.members[group]) + self.again[group]
            assert times - before <= additions - until_then, group
            if times > before:
                self.reports[group] = times, additions

    @invariant()
    def each_report_about_a_group_is_one_delivery_for_each_target(self) -> None:
        rows = [row for row in self.life.records.deliveries() if row["kind"] == "group-done"]
        with self.life.engine.begin() as connection:
            reports = connection.execute(sa.select(events.c.id).where(events.c.kind == "group-done")).scalars().all()
        sent = Counter((row["event"], row["target"]) for row in rows)
        assert sent == Counter((f"gw-{event}", target) for event in reports for target in TARGETS)

    def _all_is_well_in_the_end(self) -> None:
        self._recover()
        self._do(self.life.go_on(EVERY.total_seconds() * 2))
        self.the_command_unwatches(0)  # one that the rule found, if there is any: it stays away over what follows
        self.it_is_restarted(killed=True)
        super()._all_is_well_in_the_end()
        self.only_what_the_list_or_the_rule_names_is_watched()
        self.past_jobs_are_never_reported()
        self.a_group_is_reported_once_per_opening()
        self.each_end_in_history_is_one_event_for_each_target()
        with self.life.engine.begin() as connection:
            open_ones = set(connection.execute(sa.select(groups.c.name).where(groups.c.done_at.is_(None))).scalars())
            rows = connection.execute(sa.select(watches.c.group_name, watches.c.status)).all()
            query = sa.select(events.c.facts).where(events.c.kind == "group-done").order_by(events.c.id)
            last = {facts["group"]: facts for facts in connection.execute(query).scalars()}
        for group in {row.group_name for row in rows} - {None}:
            statuses = Counter(row.status for row in rows if row.group_name == group)
            if group in open_ones:
                assert not all(map(is_end, statuses)), f"{group} is done and open"
            else:
                assert last[group]["members"] >= sum(statuses[end] for end in ENDS)

    def _matching(self) -> set[int]:
        return {one.job_id for one in self.world.jobs.values() if one.requested_at is not None}

    def _found(self) -> set[int]:
        with self.life.engine.begin() as connection:
            query = sa.select(watches.c.job_id).where(watches.c.watched, watches.c.rule.is_not(None))
            return set(connection.execute(query).scalars())

    def _kept_away(self) -> set[int]:
        return self.excluded

    def _to_be_found(self) -> set[int]:
        """What was requested after the rule was first applied, and what no list can show as ended before."""
        if not self.ruled or self.applied_at is None:
            return set()
        later = {one for one in self._matching() if _asked(self.world.jobs[one]) > self.applied_at}
        unfinished = {one for one in self._matching() if not is_end(self.world.jobs[one].status)}
        return (later | unfinished) - self.excluded - self.either

    def _clock_jumped(self, by: timedelta) -> None:
        """When in doubt, a job was requested after the rule was applied: it is reported rather than lost."""
        if self.applied_at is not None:
            self.applied_at = min(self.applied_at, self.applied_at + by)
            self.either |= {one for one in self.past if _asked(self.world.jobs[one]) > self.applied_at}
            self.past -= self.either

    def _edit(self) -> None:
        with self.life.engine.begin() as connection:
            query = sa.select(watches.c.job_id).where(~watches.c.watched, watches.c.job_id.in_(self.watched))
            self.again.update(_group_of(job_id) or "" for job_id in connection.execute(query).scalars())
        super()._edit()

    def _settings(self) -> Settings:
        if self.ruled and self.applied_at is None:
            self.applied_at = now = self.world.clock.now()
            jobs = (self.world.jobs[one] for one in self._matching())
            self.past = {one.job_id for one in jobs if is_end(one.status) and _asked(one) <= now}
        named = (Watch(job_id=one, group=_group_of(one)) for one in sorted(self.watched))
        settings = super()._settings()
        often = replace(settings.poll, list_every=EVERY)
        return replace(settings, poll=often, watches=tuple(named), discover=(RULE,) if self.ruled else ())


def _group_of(job_id: int) -> str | None:
    return NAMED if job_id in GROUPED else None


def _asked(job: Job) -> datetime:
    assert job.requested_at is not None
    return job.requested_at
