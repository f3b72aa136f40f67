"""The events that pages follow."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from gemwatch.adapters.store.database import StoreError
from gemwatch.adapters.store.tables import watches
from gemwatch.web.http.streams import Streams
from gemwatch.web.pages.live_updates import Live
from support import filled
from support.waiting import until
from support.web import Site, store_in


class Marks:
    """A store whose marker a test changes."""

    def __init__(self) -> None:
        self.mark: str | None = "1"
        self.polls = 0

    async def changed(self) -> str:
        self.polls += 1
        if self.mark is None:
            raise StoreError("the store does not answer")
        return self.mark


async def first(chunks: AsyncIterator[bytes], wanted: bytes) -> None:
    """Wait for the next chunk like this."""
    async for chunk in chunks:
        if wanted in chunk:
            return


async def test_a_listener_hears_of_each_change_and_when_the_store_goes_and_comes() -> None:
    marks = Marks()
    async with contextlib.aclosing(Live(marks, every=0.001).events()) as events:
        assert b"event: hello" in await anext(events)
        for mark in ("2", None, "2", "3"):
            polls = marks.polls
            await until(lambda polls=polls: marks.polls > polls, "a look")
            marks.mark = mark
            assert await anext(events) == b"event: changed\ndata:\n\n"


async def test_many_listeners_cost_one_look_at_a_time_and_none_costs_none() -> None:
    marks = Marks()
    live = Live(marks, every=0.001)
    async with contextlib.AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(contextlib.aclosing(live.events())) for _ in range(20)]
        for events in listeners:
            await anext(events)
        assert marks.polls <= 1
        await until(lambda: marks.polls > 1, "a look")
        marks.mark = "2"
        await asyncio.gather(*(first(events, b"changed") for events in listeners))
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("events") == 1
    await until(lambda: "events" not in [task.get_name() for task in asyncio.all_tasks()], "the looking to end")


async def test_who_comes_after_the_last_has_gone_is_told_too() -> None:
    marks = Marks()
    live = Live(marks, every=0.001)
    for mark in ("2", "3"):
        async with contextlib.aclosing(live.events()) as events:
            await anext(events)
            polls = marks.polls
            await until(lambda polls=polls: marks.polls > polls, "a look")
            marks.mark = mark
            await first(events, b"changed")


async def test_silence_is_broken_now_and_then() -> None:
    async with contextlib.aclosing(Live(Marks(), heartbeat=0.001).events()) as events:
        await anext(events)
        assert await anext(events) == b": still here\n\n"


@contextlib.asynccontextmanager
async def listening(port: int) -> AsyncIterator[AsyncIterator[bytes]]:
    async with (
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client,
        client.stream("GET", "/events", headers={"Accept": "text/event-stream"}) as answer,
    ):
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        yield answer.aiter_raw()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(store_in(tmp_path))
    yield site
    site.views.close()


async def test_a_write_to_the_store_is_told_to_the_page(site: Site, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'gemwatch.db'}"
    async with site.served() as port, listening(port) as chunks:
        await first(chunks, b"changed")
        filled.add(store, (watches, [filled.watch(7)]))
        await first(chunks, b"changed")


async def test_a_stop_ends_the_streams_at_once(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(site.served())
        chunks = await stack.enter_async_context(listening(port))
        await first(chunks, b"hello")
        site.streams.end()
        assert [chunk async for chunk in chunks if re.search(b"hello", chunk)] == []


async def test_one_listener_too_many_is_told_to_come_again(site: Site) -> None:
    site.streams.most = 1
    assert Streams().most >= 8
    async with site.served() as port, listening(port) as chunks:
        await first(chunks, b"hello")
        async with httpx.AsyncClient(trust_env=False) as client:
            refused = await client.get(f"http://127.0.0.1:{port}/events")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
