"""Answers that many clients share: counted, over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gemwatch.web.http.shared import MOST, SharedAnswers
from support.clock import FakeClock
from support.waiting import until
from support.web import Site, store_in


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(store_in(tmp_path))
    yield site
    site.views.close()


@contextlib.asynccontextmanager
async def clients(port: int, count: int) -> AsyncIterator[list[httpx.AsyncClient]]:
    async with contextlib.AsyncExitStack() as stack:
        base = f"http://127.0.0.1:{port}"
        yield [
            await stack.enter_async_context(httpx.AsyncClient(base_url=base, trust_env=False)) for _ in range(count)
        ]


async def test_metrics_are_read_once_a_second_for_all(site: Site) -> None:
    assert isinstance(site.clock, FakeClock)
    async with site.served() as port, clients(port, 24) as crowd:
        for second in range(1, 4):
            answers = await asyncio.gather(*(client.get("/metrics") for client in crowd))
            assert {answer.status_code for answer in answers} == {200}
            assert site.program.scrapes == second
            site.clock.advance(1)


async def test_pages_are_read_once_a_second_for_all(site: Site) -> None:
    async with site.served() as port, clients(port, 20) as crowd:
        pages = await asyncio.gather(*(client.get("/", headers={"Accept": "text/html"}) for client in crowd))
        assert {page.status_code for page in pages} == {200}
        assert len({page.text for page in pages}) == 1


class Handler:
    """A handler that answers when it is let."""

    def __init__(self) -> None:
        self.calls, self.cancelled = 0, 0
        self.let = asyncio.Event()

    async def __call__(self, _: Request) -> Response:
        self.calls += 1
        number = self.calls
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return PlainTextResponse(str(number))


class Client:
    """One that asks, and may go away."""

    def __init__(self, path: str = "/", query: str = "") -> None:
        self.gone = asyncio.Event()
        scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []}
        self.request = Request(scope, self.receive)

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}


async def test_shared_answer_is_made_again_after_a_second() -> None:
    clock, handler = FakeClock(), Handler()
    shared = SharedAnswers(clock)(handler)
    handler.let.set()
    assert [(await shared(Client().request)).body for _ in range(3)] == [b"1"] * 3
    clock.advance(1)
    assert (await shared(Client().request)).body == b"2"


async def test_shared_answer_is_made_again_after_a_change() -> None:
    answers, handler = SharedAnswers(FakeClock()), Handler()
    shared = answers(handler)
    early = asyncio.create_task(shared(Client().request))
    await until(lambda: handler.calls == 1, "the first call")
    answers.clear()
    late = asyncio.create_task(shared(Client().request))
    await until(lambda: handler.calls == 2, "the second call")
    handler.let.set()
    assert ((await early).body, (await late).body) == (b"1", b"2")


async def test_shared_answer_without_clients_is_cancelled() -> None:
    handler = Handler()
    shared = SharedAnswers(FakeClock())(handler)
    one, other = Client(), Client()
    waiting = [asyncio.create_task(shared(client.request)) for client in (one, other)]
    await until(lambda: handler.calls == 1, "the call")
    one.gone.set()
    await waiting[0]
    assert handler.cancelled == 0
    other.gone.set()
    await waiting[1]
    await until(lambda: handler.cancelled == 1, "the cancellation")


async def test_shared_answer_outlives_one_impatient_client() -> None:
    handler = Handler()
    shared = SharedAnswers(FakeClock())(handler)
    gone, patient = Client(), Client()
    waiting = [asyncio.create_task(shared(client.request)) for client in (gone, patient)]
    await until(lambda: handler.calls == 1, "the call")
    gone.gone.set()
    await waiting[0]
    handler.let.set()
    assert (await waiting[1]).body == b"1"


async def test_shared_answers_kept_are_few() -> None:
    handler = Handler()
    handler.let.set()
    shared = SharedAnswers(FakeClock())(handler)
    for number in range(MOST + 1):
        await shared(Client(query=f"q={number}").request)
    await shared(Client(query="q=0").request)
    await shared(Client(query=f"q={MOST}").request)
    assert handler.calls == MOST + 2


async def test_shared_failure_reaches_every_client() -> None:
    async def failing(_: Request) -> Response:
        raise RuntimeError("no")

    shared = SharedAnswers(FakeClock())(failing)
    outcomes = await asyncio.gather(*(shared(Client().request) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [RuntimeError] * 3
