"""A storm of 429s: no request before the time that the API named, no false message, then normal polling."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from gemwatch.core.kinds import EventKind
from support.daemon import Installation
from support.gem import Answer, Request, ScriptedGem
from support.http import Handler
from support.inbox import Inbox
from support.simulated import Life, new_store, settings_of
from support.virtual import VirtualClock, VirtualLoop
from support.waiting import wait_until
from support.world import AT_ONCE, Job, World

JOBS = range(1, 9)


@dataclass
class Storm:
    """Answers each request with a 429, and records the requested pause by its own clock."""

    ask: Callable[
        [int], tuple[dict[str, str], float]
    ]  # by number of the answer: headers, and the seconds that they mean
    asked: list[tuple[float, float]] = field(default_factory=list)  # the periods in which no request should arrive

    def write(self, handler: Handler) -> None:
        now = time.monotonic()
        headers, seconds = self.ask(len(self.asked))
        self.asked.append((now, now + seconds))
        handler.answer(429, b"slow down", {**headers, "Connection": "close"})

    def early(self, requests: Sequence[Request]) -> list[Request]:
        """Requests that came while the API had asked to wait."""
        return [one for one in requests if any(since < one.at < until for since, until in self.asked)]


def in_seconds(_: int) -> tuple[dict[str, str], float]:
    return {"Retry-After": "2"}, 2.0


def by_date(_: int) -> tuple[dict[str, str], float]:
    now = time.time()
    until = datetime.fromtimestamp(int(now) + 3, UTC)
    return {"Retry-After": format_datetime(until, usegmt=True)}, until.timestamp() - now


def without_a_word(answered: int) -> tuple[dict[str, str], float]:
    return {}, 2.0 * 2**answered  # the effect: a growing pause


@pytest.mark.parametrize("ask", [in_seconds, by_date, without_a_word])
def test_no_request_before_the_time_that_a_429_names(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, ask: Callable[[int], tuple[dict[str, str], float]]
) -> None:
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    # One request at a time: each that arrives was sent after the answer to the one before it had been read.
    installation.configure(watch=list(JOBS), api={**installation.document["api"], "max_in_flight": 1})
    storm, health = Storm(ask), set()
    with installation.daemon() as daemon:
        wait_until(lambda: len(installation.records.history()) == len(JOBS), "the first looks")
        gem.for_all = Answer(write=storm.write)
        wait_until(lambda: health.add(daemon.get("/healthz")) or len(storm.asked) >= 2, "a storm")  # type: ignore[func-returns-value]
        assert {row["to"] for row in installation.records.history()} == {"IN_PROGRESS"}
        assert (inbox.titles(), health) == ([], {(200, '{"status":"ok"}')})
        for job_id in JOBS:
            gem.answers(job_id, "SUCCESS")
        gem.for_all = None
        wait_until(lambda: len(installation.records.deliveries("sent")) == len(JOBS), "every end")
        assert daemon.stop() == 0
    assert storm.early(gem.requests) == []
    text = "\n".join(f"{message.title}\n{message.body}" for message in inbox.messages)
    sent = Counter(re.findall(r"SUCCESS: job (\d+)\b", text))  # each alone, or several in a summary
    assert sent == {str(job_id): 1 for job_id in JOBS}
    assert {row["kind"] for row in installation.records.deliveries()} == {"success"}


def test_one_429_among_many_requests_stops_all_of_them(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    at_once = 4
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    installation.configure(watch=list(JOBS), api={**installation.document["api"], "max_in_flight": at_once})
    with installation.daemon() as daemon:
        wait_until(lambda: len(installation.records.history()) == len(JOBS), "the first looks")
        together, begun = threading.Event(), len(gem.requests)
        gem.for_all = Answer(status=429, headers={"Retry-After": "3"}, hold=together)
        wait_until(lambda: gem.at_once == at_once, "as many requests as there may be")
        before = len(gem.requests)
        answered = time.monotonic()
        together.set()
        wait_until(lambda: len(gem.requests) > before, "the first request afterwards")
        assert gem.requests[before].at >= answered + 3
        assert before - begun >= at_once
        assert daemon.get("/healthz")[0] == 200
        assert daemon.stop() == 0
    assert inbox.titles() == []


@pytest.mark.parametrize("pause", [30, 600, None], ids=["of half a minute", "of ten minutes", "without a time"])
def test_hour_of_429s_is_few_requests_and_two_messages(tmp_path: Path, quiet_log: None, pause: int | None) -> None:
    (tmp_path / "store").mkdir()
    new_store(tmp_path / "store")
    loop = VirtualLoop()
    world = World(VirtualClock(loop), random.Random(1))
    world.jobs = {job_id: Job(job_id=job_id, status="IN_PROGRESS") for job_id in JOBS}
    world.pause = None if pause is None else timedelta(seconds=pause)
    asked: list[int] = []

    def note(job_id: int) -> bool:
        asked.append(job_id)
        return True

    world.may_ask = note
    settings = settings_of(tmp_path / "store", set(JOBS))
    alert_after = settings.poll.alert_after.total_seconds()

    async def the_day() -> list[tuple[str, bool]]:
        life = Life(world, settings)
        await life.start()
        await life.go_on(120)
        world.api = "throttling"
        await life.go_on(alert_after / 2)
        assert life.records.deliveries() == []
        asked.clear()
        await life.go_on(3600)
        sent = [(row["kind"], row["state"]) for row in life.records.deliveries()]
        assert sent == [("api", "sent")] * 2  # to two targets
        assert {row["to"] for row in life.records.history()} == {"IN_PROGRESS"}
        # After a hold the requests that are under way when the next 429 comes, and no more.
        assert 0 < len(asked) <= (3600 / (pause or 60) + 8) * AT_ONCE
        world.api = "normal"
        for job in world.jobs.values():
            job.status = "SUCCESS"
        await life.go_on(1800)
        kinds = [row["kind"] for row in life.records.deliveries()]
        await life.stop()
        return [(kind, kinds.count(kind)) for kind in sorted(set(kinds))]

    try:
        kinds = dict(loop.run_until_complete(the_day()))
    finally:
        loop.close()
    assert world.breaches == []
    assert kinds == {EventKind.API.value: 2 * 2, EventKind.SUCCESS.value: 2 * len(JOBS)}
