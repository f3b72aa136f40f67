"""The program with everything around it, as a machine whose steps come in any order."""

import atexit
import contextlib
import functools
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gemwatch.adapters.store.listings import FEWEST
from gemwatch.adapters.store.tables import watches
from gemwatch.core.job import is_end
from gemwatch.core.settings import Loaded, Place, Problem, Settings
from support.odd_lists import Lists
from support.simulated import EVERY, HORIZON, Life, new_store, settings_of
from support.virtual import VirtualClock, VirtualLoop
from support.world import Job, World

TARGETS = ("team", "mail")
JOBS = st.integers(1, 6)
CROWD = range(101, 101 + FEWEST)  # enough to be listed


class Gemwatch(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 2**32), crowd=st.booleans(), adaptive=st.booleans())
    def start(self, seed: int, *, crowd: bool, adaptive: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="store-", dir=_base()))
        self.place = self._new_store()
        self.loop = VirtualLoop()
        self.world = World(VirtualClock(self.loop), random.Random(seed))
        self.watched: set[int] = set(CROWD if crowd else ())
        self.world.jobs = {job_id: Job(job_id=job_id) for job_id in self.watched}
        self.adaptive, self.sweep = adaptive, crowd
        self.allowed: dict[int, str | None] = {}
        self._populate()
        self._begin()

    # Actions of users and the environment

    @rule(job_id=JOBS)
    def watch(self, job_id: int) -> None:
        self.world.jobs.setdefault(job_id, Job(job_id=job_id))
        if job_id not in self.watched:
            self.allowed[job_id] = self._row(job_id).get("last_polled_at")
            self.watched.add(job_id)
            self._edit()

    @rule(job_id=JOBS)
    def unwatch(self, job_id: int) -> None:
        if job_id in self.watched:
            self.watched.discard(job_id)
            self._edit()

    @rule()
    def break_the_configuration(self) -> None:
        problem = Problem(file=Path("config.yaml"), line=1, column=1, where="api", what="is wrong")
        self._do(self.life.edit(Loaded(settings=None, problems=(problem,))))
        self._edit()

    @rule(adaptive=st.booleans(), sweep=st.booleans())
    def polling_is_edited(self, *, adaptive: bool, sweep: bool) -> None:
        self.adaptive, self.sweep = adaptive, sweep
        self._edit()

    @rule(job_id=JOBS, success=st.booleans())
    def a_job_moves_on(self, job_id: int, *, success: bool) -> None:
        self._move_on(job_id, success=success)

    def _move_on(self, job_id: int, *, success: bool) -> None:
        job = self.world.jobs.get(job_id)
        if job is None or is_end(job.status) or (job.ends and self._row(job_id).get("status") != job.status):
            return
        job.status = "IN_PROGRESS" if job.status == "REQUESTED" else "SUCCESS" if success else "FAILED"
        job.ends += is_end(job.status)

    @rule(job_id=JOBS)
    def a_job_runs_again(self, job_id: int) -> None:
        job = self.world.jobs.get(job_id)
        if job is not None and is_end(job.status) and self._row(job_id).get("status") == job.status:
            job.status = "IN_PROGRESS"
            self.unwatch(job_id)
            self.watch(job_id)

    @rule(job_id=JOBS, answer=st.sampled_from(["normal", "missing", "broken", "nonsense"]))
    def answers_change(self, job_id: int, answer: str) -> None:
        if job_id in self.world.jobs:
            self.world.jobs[job_id].answer = answer

    @rule(api=st.sampled_from(["normal", "normal", "down", "refusing", "throttling"]))
    def the_api_changes(self, api: str) -> None:
        self.world.api = api

    @rule(works=st.booleans())
    def the_login_changes(self, *, works: bool) -> None:
        self.world.login = works

    @rule(name=st.sampled_from(TARGETS), state=st.sampled_from(["up", "up", "down", "unsure"]))
    def a_target_changes(self, name: str, state: str) -> None:
        self.world.targets[name] = state

    @rule(seconds=st.sampled_from([0.3, 2, 20, 90, 400]))
    def time_passes(self, seconds: float) -> None:
        self._do(self.life.go_on(seconds))

    @rule(seconds=st.sampled_from([2, 30]))
    def the_store_is_locked_for_a_while(self, seconds: float) -> None:
        self.world.locked = True
        self._do(self.life.go_on(seconds))
        self.world.locked = False

    @rule(hours=st.sampled_from([-24, -1, 1, 24]))
    def the_clock_jumps(self, hours: int) -> None:
        self.world.clock.jump(hours * 3600)
        self._clock_jumped(timedelta(hours=hours))
        self._do(self.life.go_on(3))

    @rule(killed=st.booleans())
    def it_is_restarted(self, *, killed: bool) -> None:
        self._do(self.life.die() if killed else self.life.stop())
        self._begin()

    # Invariants

    @invariant()
    def nothing_that_was_promised_is_broken(self) -> None:
        assert self.world.breaches == []

    @invariant()
    def what_is_watched_and_unfinished_is_due_soon(self) -> None:
        latest = self.world.clock.now() + HORIZON
        ended = {row["job_id"] for row in self.life.records.status()["jobs"] if row["finished"]}
        with self.life.engine.begin() as connection:
            due = {row.job_id: row.due_at for row in connection.execute(sa.select(watches))}
        for job_id in (self.watched | self._found()) - ended:
            assert due[job_id] is not None
            assert due[job_id] <= latest

    @invariant()
    def what_is_pending_is_due(self) -> None:
        latest = (self.world.clock.now() + timedelta(hours=48)).isoformat()
        for row in self.life.records.deliveries():
            assert row["state"] in ("pending", "sent"), row
            assert (row["next_attempt_at"] is None) == (row["state"] == "sent")
            assert row["state"] == "sent" or row["next_attempt_at"] <= latest
            arrived = self.world.arrived[row["target"], int(row["event"].removeprefix("gw-"))]
            assert arrived or row["state"] == "pending"

    @invariant()
    def history_is_what_was_observed(self) -> None:
        rows = self.life.records.history()
        for job_id, job in self.world.jobs.items():
            mine = [row for row in rows if row["job_id"] == job_id]
            assert [row["from"] for row in mine] == [None, *(row["to"] for row in mine)][: len(mine)]
            rest = iter(job.answered)
            assert all(row["to"] in rest for row in mine), (mine, job.answered)
            assert all(row["from"] != row["to"] for row in mine)

    @invariant()
    def each_end_in_history_is_one_event_for_each_target(self) -> None:
        ends = Counter((row["job_id"], row["to"].lower()) for row in self.life.records.history() if is_end(row["to"]))
        rows = [row for row in self.life.records.deliveries() if row["kind"] in ("success", "failed")]
        sent = Counter((row["job_id"], row["kind"], row["target"]) for row in rows)
        assert sent == Counter({(*end, target): times for end, times in ends.items() for target in TARGETS})

    @invariant()
    def a_limit_is_reported_once_per_run_at_most(self) -> None:
        began = Counter(row["job_id"] for row in self.life.records.history() if row["to"] == "IN_PROGRESS")
        rows = [row for row in self.life.records.deliveries() if row["kind"] == "running-too-long"]
        sent = Counter((row["job_id"], row["target"]) for row in rows)
        assert all(times <= began[job_id] for (job_id, _), times in sent.items())
        for row in self.life.records.status(self.world.clock.now())["jobs"]:
            if row["limits_passed"]:
                assert all(sent[row["job_id"], target] for target in TARGETS)

    def teardown(self) -> None:
        with contextlib.ExitStack() as stack:
            if hasattr(self, "loop"):
                stack.callback(shutil.rmtree, self.folder)
                stack.callback(self.loop.close)
            if hasattr(self, "life"):
                stack.callback(lambda: self._do(self.life.die()))
                self._all_is_well_in_the_end()

    def _all_is_well_in_the_end(self) -> None:
        """After everything has recovered, every end is reported and every service event is over."""
        self._recover()
        for job_id in sorted({*self.world.jobs} - self._kept_away()):
            if self.world.chance.random() < 0.9:
                self._move_on(job_id, success=self.world.chance.random() < 0.7)
                self._move_on(job_id, success=True)
        self.watch(99)  # without a job to poll, gemwatch could not see the recovery of the login
        self._do(self.life.go_on((HORIZON + EVERY * 2).total_seconds()))
        self.nothing_that_was_promised_is_broken()
        history = self.life.records.history()
        for job_id in self.watched | self._found() | self._to_be_found():
            job = self.world.jobs[job_id]
            assert self._row(job_id)["status"] == job.status
            assert sum(row["job_id"] == job_id and is_end(row["to"]) for row in history) == job.ends
        assert [row for row in self.life.records.deliveries() if row["state"] != "sent"] == []
        for kind in ("login", "api"):
            sent = Counter(row["target"] for row in self.life.records.deliveries() if row["kind"] == kind)
            assert all(times % 2 == 0 for times in sent.values()), f"{kind} began or ended without the other"

    def _recover(self) -> None:
        self.world.api, self.world.login, self.world.locked = "normal", True, False
        self.world.targets.update(team="up", mail="up")
        self.world.lists = Lists.COMPLETE
        for job in self.world.jobs.values():
            job.answer = "normal"

    # What a machine with more in it adds

    def _populate(self) -> None:
        """Before the first start of the program."""

    def _clock_jumped(self, by: timedelta) -> None:
        pass

    def _found(self) -> set[int]:
        """The jobs that rules watch."""
        return set()

    def _kept_away(self) -> set[int]:
        """The jobs that go on, so that a rule which forgets that they are kept away would watch them."""
        return set()

    def _to_be_found(self) -> set[int]:
        """The jobs whose ends have to be reported although the watch list does not name them."""
        return set()

    def _begin(self) -> None:
        self.world.begin_life()
        self.life = Life(self.world, self._settings())
        self.world.pending = self._is_pending
        self.world.may_ask = self._may_ask
        self._do(self.life.start())

    def _new_store(self) -> Place:
        new_store(self.folder)
        return self.folder

    def _edit(self) -> None:
        self._do(self.life.edit(Loaded(settings=self._settings())))

    def _settings(self) -> Settings:
        return settings_of(self.place, self.watched, adaptive=self.adaptive, sweep=self.sweep)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(work)

    def _row(self, job_id: int) -> dict[str, Any]:
        return next((row for row in self.life.records.status()["jobs"] if row["job_id"] == job_id), {})

    def _is_pending(self, target: str, event_id: int) -> bool:
        rows = self.life.records.deliveries("pending")
        return any(row["target"] == target and row["event"] == f"gw-{event_id}" for row in rows)

    def _may_ask(self, job_id: int) -> bool:
        row = self._row(job_id)
        return not row.get("finished") or row["last_polled_at"] == self.allowed.get(job_id)


@functools.cache
def _base() -> Path:
    """A folder for all stores of this process, deleted when it exits."""
    base = Path(tempfile.mkdtemp(prefix="gemwatch-model-"))
    atexit.register(shutil.rmtree, base, ignore_errors=True)
    return base
