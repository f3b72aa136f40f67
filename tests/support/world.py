"""A world for a simulated run: jobs, an API and targets without a socket, which note every breach of a promise."""

import asyncio
import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

from gemwatch.adapters.gem.lists import listing_of
from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, NotFound, Observation, Refused, Throttled, is_end
from gemwatch.core.listing import Listed
from gemwatch.core.login import LoginError, Token
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.refusals import Answer, Culprit, api_words, judge
from gemwatch.core.text.message import Message
from gemwatch.core.text.rendering import Format, Rendered, Room, render
from gemwatch.core.work import NotSent, Outcome, Sent
from support.events import seen
from support.gem import document
from support.odd_lists import Lists, list_text
from support.virtual import VirtualClock

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE, RATE = 3, 5
SHORTEST_HOLD = timedelta(seconds=2)  # after a 429 that does not say for how long


@dataclass(kw_only=True)
class Job:
    job_id: int
    status: str = "REQUESTED"
    answer: str = "normal"  # normal | missing | broken | nonsense
    answered: list[str] = field(default_factory=list)
    ends: int = 0
    requested_at: datetime | None = None  # of a job that a rule finds

    def document(self) -> dict[str, Any]:
        """Its details as the API answers them."""
        if self.requested_at is None:
            return document(self.job_id, self.status)
        found = {"input_filename": f"found_{self.job_id}", "requested_at": self.requested_at.isoformat()}
        return document(self.job_id, self.status, **found)


class World:
    """What is so at the moment, and what was wrong. The checks that need the store are given by the machine."""

    def __init__(self, clock: VirtualClock, chance: random.Random) -> None:
        self.clock, self.chance = clock, chance
        self.jobs: dict[int, Job] = {}
        self.api = "normal"  # normal | down | refusing | throttling | forbidding
        self.quota = 0  # requests a second that are answered while it is forbidding, and
        self.forbidden = Answer(status=HTTPStatus.FORBIDDEN)  # the answer to all others
        self.renewals = 0
        self.pause: timedelta | None = timedelta(seconds=30)  # that a 429 asks for
        self.login = True
        self.locked = False
        self.lists = Lists.USUAL
        self.listed_unfinished: set[int] = set()  # the jobs that some list has shown as such
        self.targets = {"team": "up", "mail": "up"}  # up | down | unsure
        self.breaches: list[str] = []
        self.life = 0
        self.arrived: dict[tuple[str, int], list[tuple[int, bool]]] = defaultdict(list)  # life, and was it reported
        self.may_ask: Callable[[int], bool] = lambda _: True
        self.pending: Callable[[str, int], bool] = lambda *_: True
        self.replicas = 1
        self.asked_at: list[float] = []

    def begin_life(self) -> None:
        self.life += 1
        self.asked_at = []

    @property
    def most(self) -> int:
        """The requests that all replicas together may send in two seconds."""
        return 2 * RATE + (1 if self.replicas == 1 else 2 * self.replicas)

    def breach(self, sentence: str) -> None:
        self.breaches.append(f"{self.clock.now():%d %H:%M:%S} {sentence}")


class Api:
    """The engine's `Api`. Each life of the program has its own."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._world, self._clock = world, clock
        self.locked_out: Callable[[], bool] = lambda: False
        self._in_flight, self._held_until = 0, 0.0
        self._last_probe: float | None = None

    async def ask(self, job_id: int, token: str) -> Observation:
        world = self._world
        self._check(job_id)
        self._in_flight += 1
        try:
            await asyncio.sleep(world.chance.choice((0.01, 0.1, 1.5)))
            return self._answer(world.jobs[job_id])
        finally:
            self._in_flight -= 1

    async def list_jobs(self, job_type: str, token: str, page: str | None = None) -> Listed:
        """Its text is read as the API's client reads it."""
        world = self._world
        self._check(None)
        self._in_flight += 1
        try:
            await asyncio.sleep(world.chance.choice((0.1, 2.5)))
            if (failure := self._failure()) is not None:
                return failure
            return self._list(job_type)
        finally:
            self._in_flight -= 1

    def _list(self, job_type: str) -> Listed:
        world, at = self._world, self._clock.now()
        if world.lists is Lists.FAILING:
            return Failed(at=at, sent_at=at, reason="HTTP 500")
        jobs = [(job.document(), job.answered) for job in world.jobs.values()]
        try:
            listing = listing_of(list_text(jobs, job_type, world.lists, world.chance), job_type, "https://gem", at)
        except ValueError as error:
            return Failed(at=at, sent_at=at, reason=str(error), bad=True)
        world.listed_unfinished |= {one.job_id for one in listing.jobs.values() if not is_end(one.status)}
        return listing

    async def close(self) -> None:
        pass

    def _check(self, job_id: int | None) -> None:
        world, now = self._world, self._world.clock.monotonic()
        if self._in_flight >= AT_ONCE:
            world.breach(f"{self._in_flight + 1} requests at a time")
        world.asked_at = [at for at in world.asked_at if at > now - 2] + [now]
        if len(world.asked_at) > world.most:
            world.breach(f"{len(world.asked_at)} requests within 2 s")
        if now < self._held_until:
            world.breach("asked although a 429 said to wait")
        if self.locked_out():
            if self._last_probe is not None and now - self._last_probe < 59.9:
                world.breach(f"a probe {now - self._last_probe:.1f} s after the last one")
            self._last_probe = now
        if job_id is not None and not world.may_ask(job_id):
            world.breach(f"job {job_id} was asked for although it has ended")

    def _failure(self) -> Observation | None:
        world, at = self._world, self._clock.now()
        match world.api:
            case "down":
                return Failed(at=at, sent_at=at, reason="connection refused")
            case "refusing":
                return Refused(at=at, reason="HTTP 401")
            case "throttling":
                now = world.clock.monotonic()
                if world.pause is not None or now >= self._held_until:  # else the same limit, met by another request
                    self._held_until = now + (world.pause or SHORTEST_HOLD).total_seconds()
                return Throttled(at=at, retry_after=world.pause)
            case "forbidding" if sum(asked > world.clock.monotonic() - 1 for asked in world.asked_at) > world.quota:
                culprit, status, words = judge(world.forbidden), world.forbidden.status, api_words(world.forbidden)
                if culprit is Culprit.RATE:
                    return Throttled(at=at, status=status, words=words)
                return Refused(at=at, reason=f"HTTP {status}", culprit=culprit or Culprit.UNKNOWN, status=status)
        return None

    def _answer(self, job: Job) -> Observation:
        at = self._clock.now()
        if (failure := self._failure()) is not None:
            return failure
        match job.answer:
            case "missing":
                return NotFound(at=at)
            case "broken":
                return Failed(at=at, sent_at=at, reason="HTTP 500")
            case "nonsense":
                return Failed(at=at, sent_at=at, reason="the answer is not JSON", bad=True)
        job.answered.append(job.status)
        return seen(at, job.document())


class Credentials:
    """The engine's `Credentials`."""

    expires_at = None
    last_error = None
    remedy = "Log in again"

    def __init__(self, world: World) -> None:
        self._world = world

    async def token(self) -> Token:
        if not self._world.login:
            raise LoginError("no user is logged in")
        return Token(value="token", fetched_at=self._world.clock.now())

    async def renew(self, stale: Token | None) -> Token:
        self._world.renewals += 1
        await asyncio.sleep(0.5)
        return await self.token()

    async def refresh_if_due(self) -> None:
        pass

    async def close(self) -> None:
        pass


PLAIN = Room(form=Format.TEXT, headed=False, most=4000)


class Targets:
    """The engine's `Targets`."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._world.targets)

    def room(self, name: str) -> Room:
        return PLAIN

    def render(self, name: str, message: Message) -> Rendered:
        return render(message, PLAIN.form, PLAIN.most)

    async def send(self, name: str, message: Rendered, ids: MessageIds | None = None) -> Outcome:
        world, life = self._world, self._world.life
        event_ids = {int(number) for number in re.findall(r"\bgw-(\d+)\b", message.body)}
        for event_id in event_ids:
            if not world.pending(name, event_id):
                world.breach(f"gw-{event_id} was sent to {name} although it was settled")
        await asyncio.sleep(world.chance.choice((0.01, 0.6)))
        if world.targets[name] == "down":
            return NotSent(reason="refused")
        unsure = world.targets[name] == "unsure"
        for event_id in event_ids:
            before = world.arrived[name, event_id]
            if any(when == life and reported for when, reported in before):
                world.breach(f"gw-{event_id} came to {name} twice")
            before.append((life, not unsure))
        await asyncio.sleep(world.chance.choice((0.01, 0.6)))
        return NotSent(reason="no answer", unknown=True) if unsure else Sent()

    def close(self) -> None:
        pass


class Database:
    """The engine's `Database`: in the loop itself. While the store is locked, work waits and is tried again."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(0)
        while self._world.locked:  # noqa: ASYNC110 (as the real one: it tries again)
            await asyncio.sleep(1)
        result = work(*args, **kwargs)
        await asyncio.sleep(0)
        return result
