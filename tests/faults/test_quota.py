"""An exceeded quota is a 403 with any wording: a pause instead of a refused login."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.tables import events
from gemwatch.core.refusals import Answer
from gemwatch.core.settings import Settings
from gemwatch.engine.refused_jobs import MOST_ALONE
from support.daemon import Installation
from support.gem import Answer as GemAnswer
from support.gem import ScriptedGem, document
from support.http import Handler
from support.inbox import Inbox
from support.simulated import Life, new_store, settings_of
from support.virtual import VirtualClock, VirtualLoop
from support.waiting import wait_until
from support.world import Job, World

JOBS, QUOTA, NOTHING = range(1, 61), 5, -1
WORDINGS = {
    "detail header": ({"x-error-detail-header": "Account Over Queries Per Second Limit"}, ""),
    "error code": ({"x-mashery-error-code": "ERR_403_DEVELOPER_OVER_QPS"}, ""),
    "over rate": ({"x-mashery-error-code": "ERR_403_DEVELOPER_OVER_RATE"}, ""),
    "html": ({}, "<h1>Developer Over Qps</h1>"),
    "json": ({}, '{"error": {"message": "Rate limit exceeded"}}'),
    "quota": ({}, "quota exceeded"),
    "too many": ({}, '{"title": "Too Many Requests"}'),
    "quota code": ({"x-mashery-error-code": "ERR_403_DEVELOPER_OVER_QUOTA"}, "<h1>Forbidden</h1>"),
    "account header": ({"x-error-detail-header": "Account Over Rate Limit"}, ""),
    "qps sentence": ({}, '{"detailedError": {"code": "FORBIDDEN", "message": "You are over QPS for this key"}}'),
    "call volume": ({}, '{"message": "Out of call volume quota. Quota will be replenished in 00:00:03."}'),
    "per second": ({}, "<html><body>More than 5 requests per second are not allowed.</body></html>"),
}


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


@pytest.fixture
def world(tmp_path: Path, quiet_log: None, loop: VirtualLoop) -> World:
    (tmp_path / "store").mkdir()
    new_store(tmp_path / "store")
    world = World(VirtualClock(loop), random.Random(1))
    world.jobs = {job_id: Job(job_id=job_id, status="IN_PROGRESS") for job_id in JOBS}
    return world


def eager(folder: Path, *, every: timedelta = timedelta(seconds=6), rate: float = 0) -> Settings:
    settings = settings_of(folder / "store", set(JOBS))
    return replace(
        settings,
        api=replace(settings.api, max_rate=rate, max_in_flight=16),
        poll=replace(settings.poll, every=every),
        limits=None,
    )


def kinds(life: Life) -> Counter[str]:
    return Counter(row["kind"] for row in life.records.deliveries())


@pytest.mark.parametrize(("wording", "rate"), [*((each, 0) for each in WORDINGS), ("html", 10), ("html", 4)])
def test_quota_delays_results_without_an_event(
    tmp_path: Path, world: World, loop: VirtualLoop, wording: str, rate: float
) -> None:
    headers, body = WORDINGS[wording]
    world.api, world.quota = "forbidding", QUOTA
    world.forbidden = Answer(status=HTTPStatus.FORBIDDEN, headers=headers, body=body)

    async def story() -> None:
        life = Life(world, eager(tmp_path, rate=rate))
        await life.start()
        await life.go_on(90)
        assert kinds(life) == {}
        for job in world.jobs.values():
            job.status = "SUCCESS"
        await life.go_on(90)
        assert kinds(life) == {"success": 2 * len(JOBS)}  # to two targets
        assert {row["state"] for row in life.records.deliveries()} == {"sent"}
        await life.stop()

    loop.run_until_complete(story())
    assert world.renewals == 0


def test_quota_that_blocks_everything_becomes_a_refusal(tmp_path: Path, world: World, loop: VirtualLoop) -> None:
    headers, body = WORDINGS["html"]
    world.forbidden = Answer(status=HTTPStatus.FORBIDDEN, headers=headers, body=body)

    async def story() -> None:
        life = Life(world, eager(tmp_path, every=timedelta(minutes=1)))
        await life.start()
        await life.go_on(120)
        world.api, world.quota = "forbidding", NOTHING
        await life.go_on(9 * 60)
        assert (kinds(life), world.renewals) == ({}, 0)
        await life.go_on(10 * 60)
        assert kinds(life) == {"login": 2}  # one message to each of two targets, and none about the API
        world.api = "normal"
        await life.go_on(5 * 60)
        assert kinds(life) == {"login": 4}
        await life.stop()

    loop.run_until_complete(story())


@pytest.mark.parametrize(
    "body", ["could not generate a separate report", '{"message": "Token generation: rate card is separate"}']
)
def test_words_that_only_contain_rate_are_a_refusal(
    tmp_path: Path, world: World, loop: VirtualLoop, body: str
) -> None:
    world.forbidden = Answer(status=HTTPStatus.FORBIDDEN, body=body)

    async def story() -> None:
        life = Life(world, eager(tmp_path, every=timedelta(minutes=1)))
        await life.start()
        await life.go_on(120)
        world.api, world.quota = "forbidding", NOTHING
        await life.go_on(5 * 60)
        assert kinds(life) == {"login": 2}
        await life.stop()

    loop.run_until_complete(story())
    assert world.renewals > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_a_gateway_that_refuses_most_requests_is_one_event(
    tmp_path: Path, world: World, loop: VirtualLoop, seed: int
) -> None:
    world.forbidden = Answer(status=HTTPStatus.FORBIDDEN, body="blocked by policy")
    world.chance.seed(seed)

    async def story() -> list[tuple[int | None, bool, bool]]:
        life = Life(world, eager(tmp_path, every=timedelta(minutes=1)))
        await life.start()
        await life.go_on(60)
        world.api, world.quota = "forbidding", 1
        await life.go_on(6 * 60)
        world.api = "normal"
        await life.go_on(36 * 60)
        query = sa.select(events.c.job_id, events.c.facts).order_by(events.c.id)
        with life.engine.connect() as connection:
            rows = connection.execute(query).all()
        await life.stop()
        return [(row.job_id, row.facts.get("some_jobs", False), row.facts["over"]) for row in rows]

    reported = loop.run_until_complete(story())
    assert [row for row in reported if row[1]] == [(None, True, False), (None, True, True)]
    assert Counter(over for job_id, _, over in reported if job_id is not None)[False] <= MOST_ALONE
    assert len([row for row in reported if row[0] is None and not row[1]]) <= len(("refused", "recovered"))


@dataclass
class Gateway:
    """In front of a real server: counts requests in the last second, and answers 403 to those over the quota."""

    status: str = "IN_PROGRESS"
    forbidden: int = 0
    _at: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, handler: Handler) -> None:
        with self._lock:
            now = time.monotonic()
            self._at = [at for at in self._at if at > now - 1] + [now]
            over = len(self._at) > QUOTA
            self.forbidden += over
        if over:
            handler.answer(403, b"<h1>Developer Over Qps</h1>", {"Connection": "close"})
        else:
            job = json.dumps(document(int(handler.path.rpartition("/")[2]), self.status)).encode()
            handler.answer(200, job, {"Connection": "close"})


def test_daemon_over_its_quota_delivers_and_stays_logged_in(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, tmp_path: Path
) -> None:
    jobs, gateway, runs = range(1, 13), Gateway(), tmp_path / "runs"
    gem.for_all = GemAnswer(write=gateway.write)
    script = tmp_path / "token"
    script.write_text(f"#!/bin/sh\necho run >>{runs}\necho token-1\n")
    script.chmod(0o755)
    api = {**installation.document["api"], "token": {"command": [str(script)]}}
    installation.configure(watch=list(jobs), api=api, poll={"every": "2s"})
    with installation.daemon() as daemon:
        wait_until(lambda: len(installation.records.history()) == len(jobs) and gateway.forbidden, "the first polls")
        gateway.status = "SUCCESS"
        wait_until(lambda: len(installation.records.deliveries("sent")) == len(jobs), "every end")
        assert daemon.stop() == 0
    assert {row["kind"] for row in installation.records.deliveries()} == {"success"}
    assert runs.read_text() == "run\n"
