"""The events that pages follow."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from sse_starlette.event import ServerSentEvent

from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.tables import watches
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


async def first(chunks: AsyncIterator[bytes], wanted: bytes) -> bytes:
    """Wait for the next chunk like this."""
    async for chunk in chunks:
        if wanted in chunk:
            return chunk
    raise AssertionError(f"the stream ended without {wanted!r}")


async def change(events: AsyncIterator[ServerSentEvent]) -> None:
    """Wait for the next report of a change."""
    async for event in events:
        if event.event == "changed":
            return


async def test_live_reports_each_change_and_lost_stores() -> None:
    marks = Marks()
    async with contextlib.aclosing(Live(marks.changed, every=0.001).events()) as events:
        assert (await anext(events)).event == "hello"
        await change(events)
        for mark in ("2", None, "2", "3"):
            polls = marks.polls
            await until(lambda polls=polls: marks.polls > polls, "a check")
            marks.mark = mark
            await change(events)


async def test_live_checks_once_for_all_and_only_with_listeners() -> None:
    marks = Marks()
    live = Live(marks.changed, every=0.001)
    async with contextlib.AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(contextlib.aclosing(live.events())) for _ in range(20)]
        for events in listeners:
            await change(events)
        await until(lambda: marks.polls > 1, "a check")
        marks.mark = "2"
        await asyncio.gather(*(change(events) for events in listeners))
        names = [task.get_name() for task in asyncio.all_tasks()]
        assert names.count("events") == 1
    await until(lambda: "events" not in [task.get_name() for task in asyncio.all_tasks()], "the last check")


async def test_live_reports_changes_to_later_listeners() -> None:
    marks = Marks()
    live = Live(marks.changed, every=0.001)
    for mark in ("2", "3"):
        async with contextlib.aclosing(live.events()) as events:
            await change(events)
            polls = marks.polls
            await until(lambda polls=polls: marks.polls > polls, "a check")
            marks.mark = mark
            await change(events)


async def test_live_drops_shared_pages_before_it_reports() -> None:
    marks, seen = Marks(), list[str]()
    live = Live(marks.changed, every=0.001, on_change=lambda: seen.append("dropped"))
    async with contextlib.aclosing(live.events()) as events:
        await change(events)
        assert seen == ["dropped"]  # nobody had checked before
        await until(lambda: marks.polls, "a check")
        marks.mark = "2"
        await change(events)
        assert seen == ["dropped"] * 2


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


async def test_live_reports_a_write_to_the_store(site: Site, tmp_path: Path) -> None:
    store = tmp_path / "gemwatch.db"
    async with site.served() as port, listening(port) as chunks:
        await first(chunks, b"changed")
        filled.add(store, (watches, [filled.watch(7)]))
        assert b"changed" in await first(chunks, b"changed")


async def test_live_ends_at_a_stop(site: Site) -> None:
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(site.served())
        chunks = await stack.enter_async_context(listening(port))
        await first(chunks, b"hello")
        site.streams.end()
        assert [chunk async for chunk in chunks if re.search(b"hello", chunk)] == []
