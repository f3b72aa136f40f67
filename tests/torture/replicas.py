"""Kills and freezes replicas that share one database, at random and at named points, and audits what is left."""

import contextlib
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import yaml

from gemwatch.core.settings import Postgresql
from support import doomed
from support.gem import Answer, ScriptedGem, document
from support.http import Handler
from support.inbox import Inbox
from support.postgresql import new_database, restart
from support.replicas import TAKEN_OVER, Replica, Replicas, replicas
from support.sink import Receipt, Sink
from support.waiting import wait_until
from torture.audit import Findings, audit
from torture.lives import Life, lives

TARGETS = ("team", "mail")
JOBS_A_STEP = 4
KINDS = ("take-look", "record", "transition", "take-send", "settle", "apply", "refresh")
COMMITS = [f"{moment} {kind}" for kind in KINDS for moment in doomed.MOMENTS]
OUTSIDE = ["request in hand", "answer given", "send in hand", "send answered", "any moment"]
KILLS = [*COMMITS, *OUTSIDE]
FREEZE, FAST, IMMEDIATE = "freeze", "restart fast", "restart immediate"
FROZEN_FOR = 35.0  # seconds, by which all leases and claims have ended
_SENDER = re.compile(r"(\w+)/(\d+)\.(\d+)")  # target, replica and its life, in the path of a message


class Attack:
    """Three replicas, of which one is ended at each step; each step has new jobs, so there is always work."""

    def __init__(self, folder: Path, seed: int, gem: ScriptedGem, sink: Sink, all_three: Replicas) -> None:
        self._chance, refusing = random.Random(seed), random.Random(seed + 1)
        self._folder, self._gem, self._sink, self._replicas = folder, gem, sink, all_three
        self._order = folder / "doom"
        self._source = lives(self._chance)
        self._jobs: list[Life] = []
        self._lives: dict[int, int] = defaultdict(int)
        self._ended: set[tuple[int, int]] = set()  # replica and life: killed or frozen
        self._settled: list[tuple[int, set[tuple[int, str]]]] = []  # with the number of messages before
        self.reached: list[str] = []
        sink.refuses = lambda: refusing.random() < 0.02
        all_three.configure(watch=[], watch_files=["../watch.yaml"])
        self._watch()
        for one in all_three:
            self._begin(one)

    def step(self, point: str) -> None:
        """New jobs, and what the point says."""
        fresh = list(islice(self._source, JOBS_A_STEP))
        scripts = {job.job_id: list(job.steps) for job in fresh}
        if point in COMMITS:
            count = 1 if point.endswith(("apply", "refresh")) else self._chance.randint(1, 2)
            self._order.write_text(f"{point} {count} {len(self._jobs)}")
        else:
            self._arm(point, fresh[-1], scripts)
        for job_id, steps in scripts.items():
            self._gem.answers(job_id, *steps)
        self._jobs += fresh
        self._watch()
        match point:
            case "restart fast":
                restart("fast")
            case "restart immediate":
                restart("immediate")
            case "freeze":
                self._freeze()
            case _:
                self._await_a_kill(point)
                return
        wait_until(self._replicas.settled, f"every message after {point}", patience=TAKEN_OVER)
        self.reached.append(point)

    def finish(self) -> Findings:
        """Wait until everything is sent, stop all, and compare."""
        wait_until(self._all_told, "every job to end and every message to be sent", patience=2 * TAKEN_OVER)
        for one in self._replicas:
            one.await_ready()
            assert one.stop() == 0
        receipts = [replace(one, target=sender[0]) for one, sender in self._receipts()]
        numbered = [replace(one, life=number) for number, one in enumerate(receipts)]
        found = audit(self._jobs, self._replicas.records, numbered, TARGETS, {})
        self._audit_repetitions(found)
        return found

    def _begin(self, one: Replica) -> None:
        self._lives[one.number] += 1
        life = f"{one.number}.{self._lives[one.number]}"
        one.configure(notify={name: {"url": self._sink.target_url(f"{name}/{life}")} for name in TARGETS})
        one.begin(self._order)

    def _watch(self) -> None:
        unfinished = self._folder / "watch.new"
        unfinished.write_text(yaml.safe_dump([job.job_id for job in self._jobs]))
        unfinished.replace(self._folder / "watch.yaml")

    def _arm(self, point: str, job: Life, scripts: dict[int, list[Any]]) -> None:
        match point:
            case "request in hand":
                scripts[job.job_id].insert(0, Answer(write=self._kill_asker))
            case "answer given":

                def answer_and_kill(handler: Handler) -> None:
                    handler.answer(200, json.dumps(document(job.job_id, job.shown[0])).encode())
                    self._kill_asker(handler)

                scripts[job.job_id].insert(0, Answer(write=answer_and_kill))
            case "send in hand":
                self._sink.in_hand = self._kill_sender
            case "send answered":
                self._sink.answered = self._kill_sender
            case "any moment":
                # The one point that is a time and not an event.
                time.sleep(self._chance.uniform(0, 1))
                self._kill(self._chance.choice(self._replicas))

    def _kill_asker(self, handler: Handler) -> None:
        token = (handler.headers.get("authorization") or "").removeprefix("Bearer ")
        self._kill(next(one for one in self._replicas if one.token == token))

    def _kill_sender(self, receipt: Receipt) -> None:
        self._sink.in_hand = self._sink.answered = None
        _, number, _ = _sender_of(receipt)
        self._kill(self._replicas[number - 1])

    def _kill(self, one: Replica) -> None:
        if one.running is not None and one.running.process.poll() is None:
            one.running.process.kill()

    def _await_a_kill(self, point: str) -> None:
        """Wait until a replica is dead; one of them is killed if all is sent and none came to the point."""
        deadline, reached = time.monotonic() + TAKEN_OVER, True
        while not (dead := [one for one in self._replicas if _is_dead(one)]):
            time.sleep(0.05)
            if reached and (self._all_told() or time.monotonic() > deadline):
                reached = False
                self._order.unlink(missing_ok=True)
                self._kill(self._chance.choice(self._replicas))
        self._order.unlink(missing_ok=True)
        self._sink.in_hand = self._sink.answered = None
        self.reached.append(point if reached else "nothing left to do")
        for one in dead:
            assert one.running is not None
            code = one.running.process.wait()
            assert code == -9, f"{code}: {one.running.log_file.read_text()[-5000:]}"
            self._ended.add((one.number, self._lives[one.number]))
        rows = self._replicas.records.deliveries("sent") if self._has_tables() else []
        settled = {(int(row["event"].removeprefix("gw-")), row["target"]) for row in rows}
        self._settled.append((len(self._sink.receipts), settled))
        for one in dead:
            self._begin(one)

    def _freeze(self) -> None:
        """Stop one for longer than every lease, while the others work; then it continues with its work."""
        one = self._chance.choice(self._replicas)
        one.await_ready()
        self._ended.add((one.number, self._lives[one.number]))
        one.freeze()
        time.sleep(FROZEN_FOR)
        one.go_on()

    def _has_tables(self) -> bool:
        with contextlib.suppress(Exception):  # before the first start came so far
            self._replicas.records.status()
            return True
        return False

    def _all_told(self) -> bool:
        if not self._has_tables():
            return False
        jobs = self._replicas.records.status()["jobs"]
        return len(jobs) == len(self._jobs) and self._replicas.settled()

    def _receipts(self) -> list[tuple[Receipt, tuple[str, int, int]]]:
        return [(one, _sender_of(one)) for one in self._sink.receipts]

    def _audit_repetitions(self, found: Findings) -> None:
        """A message may come again only if the replica that sent it before was killed or frozen at that send."""
        last: dict[tuple[int, str], tuple[int, int]] = {}
        for index, (receipt, (target, number, life)) in enumerate(self._receipts()):
            for event_id in receipt.event_ids:
                before = last.get((event_id, target))
                if before is not None and before not in self._ended:
                    found.repeated.append(f"gw-{event_id} came again to {target}, after replica {before} lived on")
                if any((event_id, target) in sent for count, sent in self._settled if count <= index):
                    found.repeated.append(f"gw-{event_id} came again to {target} although it was settled")
                last[event_id, target] = number, life


def _is_dead(one: Replica) -> bool:
    return one.running is not None and one.running.process.poll() is not None


def _sender_of(receipt: Receipt) -> tuple[str, int, int]:
    found = _SENDER.fullmatch(receipt.target)
    assert found is not None
    return found[1], int(found[2]), int(found[3])


def attack_and_audit(folder: Path, seed: int, points: Sequence[str]) -> tuple[list[str], Findings]:
    """Run through the points; those that were reached, and what was found in the end."""
    with new_database() as place, ScriptedGem() as gem, Sink() as sink, _three(folder, gem, sink, place) as three:
        attack = Attack(folder, seed, gem, sink, three)
        for point in points:
            attack.step(point)
        return attack.reached, attack.finish()


def _three(
    folder: Path, gem: ScriptedGem, sink: Sink, place: Postgresql
) -> contextlib.AbstractContextManager[Replicas]:
    return replicas(folder, gem, cast("Inbox", sink), place)  # asked for a URL, no more
