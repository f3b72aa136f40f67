"""Kills the installed program again and again, at random moments and at named points, and audits what is left."""

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, cast

from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.schema import check
from support import doomed
from support.daemon import GEMWATCH, Installation, environment
from support.gem import Answer, ScriptedGem, document
from support.http import Handler
from support.inbox import Inbox
from support.json_records import JsonRecords
from support.sink import Receipt, Sink
from support.waiting import wait_until
from support.warm import Call, WarmProcess
from torture.audit import Findings, audit, audit_groups
from torture.lives import JOBS_A_LIFE, Life, lives

TARGETS = ("team", "mail")
KINDS = ("take-look", "record", "transition", "take-send", "settle", "apply", "group-done")
COMMITS = [f"{moment} {kind}" for kind in KINDS for moment in doomed.MOMENTS]
OUTSIDE = ["request in hand", "answer given", "send in hand", "send answered", "settle held up", "any moment"]
POINTS = [*COMMITS, *OUTSIDE]


class Killing:
    """One installation that is started and killed; each life has new jobs, so there is always something to lose."""

    def __init__(self, folder: Path, seed: int, gem: ScriptedGem, sink: Sink, *, warm: bool) -> None:
        self._chance, refusing = random.Random(seed), random.Random(seed + 1)
        self._gem, self._sink = gem, sink
        self._installation = Installation(folder, gem, cast("Inbox", sink))  # asked for a URL, no more
        self._installation.configure(notify={name: {"url": sink.target_url(name)} for name in TARGETS})
        self._source = lives(self._chance)
        self._jobs: list[Life] = []
        self._settled: dict[int, set[tuple[int, str]]] = {}
        self._process: subprocess.Popen[bytes] | WarmProcess
        self._warm = warm
        self._lock: sqlite3.Connection | None = None
        self._log = folder / "daemon.log"
        self._store = folder / "gemwatch.db"
        self.reached: list[str] = []
        sink.refuses = lambda: refusing.random() < 0.02

    def kill_at(self, point: str) -> None:
        """One life: new jobs, a start, and the end at this point."""
        self._sink.life += 1
        fresh = list(islice(self._source, JOBS_A_LIFE))
        scripts = {job.job_id: list(job.steps) for job in fresh}
        doom = None
        if point in COMMITS:
            moment, kind = point.split(" ")
            doom = moment, kind, 1 if kind in ("apply", "group-done") else self._chance.randint(1, 2)
        else:
            self._arm(point, fresh[-1], scripts)
        for job_id, steps in scripts.items():
            self._gem.answers(job_id, *steps)
        self._jobs += fresh
        self._installation.configure(watch=[{"job": job.job_id, "group": job.group} for job in self._jobs])
        self._process = self._started(doom)
        if point == "any moment":
            time.sleep(
                self._chance.uniform(0, 2 if self._warm else 4)
            )  # the one point that is a time and not an event
            self._process.kill()
        self.reached.append(point if self._await_end() else "nothing left to do")
        self._sink.in_hand = self._sink.answered = self._sink.read = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        rows = self._records.deliveries("sent") if self._has_store() else []
        self._settled[self._sink.life] = {(int(row["event"].removeprefix("gw-")), row["target"]) for row in rows}

    def finish(self) -> Findings:
        """One life that runs until everything is sent; then the comparison."""
        self._sink.life += 1
        with self._installation.daemon() as daemon:
            wait_until(self._all_told, "every job to end and every message to be sent")
            assert daemon.stop() == 0
        with closing(sqlite3.connect(self._store)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = audit(self._jobs, self._records, self._sink.receipts, TARGETS, self._settled)
        groups = {job.group for job in self._jobs}
        audit_groups(found, groups, self._records.deliveries(), self._sink.receipts, TARGETS)
        return found

    def _arm(self, point: str, job: Life, scripts: dict[int, list[Any]]) -> None:
        """Have the world end the program once it comes to this point."""
        match point:
            case "request in hand":
                scripts[job.job_id].insert(0, Answer(write=self._kill))
            case "answer given":
                scripts[job.job_id].insert(0, Answer(write=partial(self._answer_and_kill, job)))
            case "send in hand":
                self._sink.in_hand = self._kill
            case "send answered":
                self._sink.answered = self._kill
            case "settle held up":
                self._sink.in_hand = self._lock_the_store

    def _kill(self, _: object = None) -> None:
        self._process.kill()

    def _answer_and_kill(self, job: Life, handler: Handler) -> None:
        handler.answer(200, json.dumps(document(job.job_id, job.shown[0])).encode())
        self._process.kill()

    def _lock_the_store(self, _: Receipt) -> None:
        """From now on nothing can be committed: the send is answered, and its outcome cannot be written down."""
        self._sink.in_hand = None
        self._lock = sqlite3.connect(self._store, timeout=30, isolation_level=None, check_same_thread=False)
        self._lock.execute("BEGIN IMMEDIATE")
        self._sink.read = self._kill

    def _started(self, doom: tuple[str, str, int] | None) -> "subprocess.Popen[bytes] | WarmProcess":
        config = self._installation.config
        if self._warm:
            call = Call(
                arguments=("run", "--config", str(config)),
                environment=environment(),
                folder=Path.cwd(),
                streams=(Path(os.devnull), self._log, self._log),
                doom=doom,
            )
            return WarmProcess(call)
        program = [*GEMWATCH] if doom is None else [sys.executable, "-P", doomed.__file__, *map(str, doom)]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [*program, "run", "--config", str(config)],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=environment(),
            )

    def _await_end(self) -> bool:
        """Wait until the program is dead. One that has sent everything without reaching its point is killed."""
        reached = True
        while self._process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.3)
            if self._process.poll() is None and self._has_store() and self._all_told():
                reached = False
                self._process.kill()
                self._process.wait()
        assert self._process.returncode == -9, f"{self._process.returncode}: {self._log.read_text()[-5000:]}"
        return reached

    @property
    def _records(self) -> JsonRecords:
        return JsonRecords(open_to_read(self._store))

    def _has_store(self) -> bool:
        """Whether the first start came as far as making the tables."""
        try:
            check(open_to_read(self._store))
        except StoreError:
            return False
        return True

    def _all_told(self) -> bool:
        jobs = self._records.status()["jobs"]
        ended = len(jobs) == len(self._jobs) and all(job["finished"] for job in jobs)
        return ended and not open_groups(self._store) and not self._records.deliveries("pending")


def open_groups(store: Path) -> int:
    with closing(sqlite3.connect(store)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM groups WHERE done_at IS NULL").fetchone()
    return int(number)


def kill_and_audit(folder: Path, seed: int, points: Sequence[str], *, warm: bool) -> tuple[list[str], Findings]:
    """Run through the points; those that were reached, and what was found in the end. `warm`: quicker starts."""
    with ScriptedGem() as gem, Sink() as sink:
        killing = Killing(folder, seed, gem, sink, warm=warm)
        for point in points:
            killing.kill_at(point)
        return killing.reached, killing.finish()
