"""Kills and freezes replicas that share one database, at random and at named points, and audits what is left."""

import contextlib
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast

import yaml

from support import doomed
from support.gem import Answer, ScriptedGem, document
from support.http import Handler
from support.inbox import Inbox
from support.pgbouncer import pgbouncer
from support.postgresql import address_of, at_port, new_database, restart, url_of
from support.proxy import Proxy
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
CUT_BEFORE, CUT_AFTER, STALL, FILES = "cut before commit", "cut after commit", "stall", "other files"
FROZEN_FOR = 35.0  # seconds, by which all leases and claims have ended
STALLED_FOR = 150.0
_SENDER = re.compile(r"(\w+)/(\d+)\.(\d+)")  # target, replica and its life, in the path of a message


class Attack:
    """Three replicas, of which one is ended at each step; each step has new jobs, so there is always work."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        *,
        gem: ScriptedGem,
        sink: Sink,
        all_three: Replicas,
        proxies: Sequence[Proxy],
        hurried: bool,
    ) -> None:
        """`proxies`: between each replica and the database. `hurried`: the others need not wait until a dead one's
        leases end."""
        self._chance, refusing = random.Random(seed), random.Random(seed + 1)
        self._folder, self._gem, self._sink, self._replicas = folder, gem, sink, all_three
        self._proxies, self._hurried = proxies, hurried
        self._harms: dict[str, Callable[[], None]] = {
            FREEZE: self._freeze,
            STALL: self._stall,
            FAST: lambda: restart("fast"),
            IMMEDIATE: lambda: restart("immediate"),
            CUT_BEFORE: lambda: self._cut(Proxy.before_commit),
            CUT_AFTER: lambda: self._cut(Proxy.after_commit),
            FILES: self._let_files_differ,
        }
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
        if point in (FAST, IMMEDIATE, CUT_BEFORE, CUT_AFTER):  # without its database none would start
            for one in self._replicas:
                one.await_ready()
        self._watch()
        if (harm := self._harms.get(point)) is None:
            self._await_a_kill(point)
            return
        harm()
        wait_until(self._all_told, f"every message after {point}", patience=TAKEN_OVER)
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
        self._bury(dead)
        for one in dead:
            self._begin(one)

    def _bury(self, dead: Sequence[Replica]) -> None:
        """Note what was settled when these replicas were dead: it must not be sent again."""
        for one in dead:
            assert one.running is not None
            code = one.running.process.wait()
            assert code == -9, f"{code}: {one.running.log_file.read_text()[-5000:]}"
            self._ended.add((one.number, self._lives[one.number]))
            if self._hurried:
                one.age()
        rows = self._replicas.records.deliveries("sent") if self._has_tables() else []
        settled = {(int(row["event"].removeprefix("gw-")), row["target"]) for row in rows}
        self._settled.append((len(self._sink.receipts), settled))

    def _freeze(self) -> None:
        """Stop one for longer than every lease, while the others work; then it continues with its work."""
        one = self._chance.choice(self._replicas)
        one.await_ready()
        self._ended.add((one.number, self._lives[one.number]))
        one.freeze()
        time.sleep(FROZEN_FOR)
        one.go_on()

    def _stall(self) -> None:
        """The network of one gives no answer for minutes, and keeps the connections; then it passes on the rest."""
        one = self._chance.choice(self._replicas)
        one.await_ready()
        self._ended.add((one.number, self._lives[one.number]))
        self._proxies[one.number - 1].stalled = True
        time.sleep(STALLED_FOR)
        self._proxies[one.number - 1].stalled = False

    def _cut(self, cut: Callable[..., None]) -> None:
        """The connections of all end at commits: before the server gets them, or before its answer arrives."""
        for proxy in self._proxies:
            cut(proxy, passed=self._chance.randrange(4))

    def _let_files_differ(self) -> None:
        """A follower has old files, and only one of the targets, when the leader dies; then it gets the new ones."""
        wait_until(self._replicas.leader, "a leader", patience=TAKEN_OVER)
        leader = self._replicas.leader()
        one = self._chance.choice([one for one in self._replicas if one is not leader])
        one.await_ready()
        new = one.document["notify"]
        one.configure(
            notify={TARGETS[1]: new[TARGETS[1]]},
            watch=[job.job_id for job in self._jobs[: len(self._jobs) // 2]],
            watch_files=[],
        )
        if leader is not None and leader.running is not None:
            self._kill(leader)
            leader.running.process.wait()
            self._bury([leader])
        wait_until(lambda: self._replicas.leader() not in (None, leader), "a new leader", patience=TAKEN_OVER)
        one.configure(notify=new, watch=[], watch_files=["../watch.yaml"])
        if leader is not None:
            self._begin(leader)

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


def attack_and_audit(
    folder: Path,
    seed: int,
    points: Sequence[str],
    *,
    pooled: bool = False,
    hurried: bool = False,
    report: Callable[[str], None] = lambda _: None,
) -> tuple[list[str], Findings]:
    """Run through the points; those that were reached, and what was found in the end.

    `pooled`: through PgBouncer. `hurried`: as for Attack.
    """
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(new_database())
        gem, sink = stack.enter_context(ScriptedGem()), stack.enter_context(Sink())
        inbox = cast("Inbox", sink)  # asked for a URL, no more
        three = stack.enter_context(replicas(folder, gem, inbox, place))
        upstream = address_of(stack.enter_context(pgbouncer(place)) if pooled else place)
        proxies = [stack.enter_context(Proxy(upstream)) for _ in three]
        for one, proxy in zip(three, proxies, strict=True):
            one.configure(store={"url": url_of(at_port(place, proxy.port))})
        attack = Attack(folder, seed, gem=gem, sink=sink, all_three=three, proxies=proxies, hurried=hurried)
        for number, point in enumerate(points, start=1):
            attack.step(point)
            report(f"{number} of {len(points)}: {attack.reached[-1]}")
        return attack.reached, attack.finish()
