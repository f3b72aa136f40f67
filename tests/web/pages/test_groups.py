"""The pages of groups, over real sockets from a real store."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemwatch.adapters.store.reads.groups import GroupRow
from gemwatch.adapters.store.tables import groups, runs, watches
from gemwatch.web.pages.groups import shown_group
from support import filled
from support.clock import START
from support.html import EVIL, client_of, opened, page
from support.web import store_in


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return store_in(tmp_path)


@pytest.fixture
async def client(store: Path) -> AsyncIterator[httpx.AsyncClient]:
    with opened(store) as site:
        async with site.served() as port, client_of(port) as client:
            yield client


def member(job_id: int, status: str, group: str = "release", **more: Any) -> dict[str, Any]:
    return {**filled.seen(job_id, status), "group_name": group, **more}


def opening(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "member_added_at": START, **more}


def grouped(store: Path, *members: dict[str, Any], **of_group: Any) -> None:
    filled.add(store, (watches, list(members)), (groups, [opening("release", **of_group)]))


async def test_page_without_groups_shows_how_to_make_one(client: httpx.AsyncClient) -> None:
    assert "No job is in a group yet" in (await page(client, "/groups")).text


async def test_groups_are_listed_open_ones_first(store: Path, client: httpx.AsyncClient) -> None:
    grouped(store, member(1, "SUCCESS"), done_at=START)
    filled.add(store, (watches, [member(2, "IN_PROGRESS", "a/b & c")]), (groups, [opening("a/b & c")]))
    found = await page(client, "/groups")
    assert found.text.index("a/b & c") < found.text.index("release")
    assert found.found("a", href="/?group=a%2Fb+%26+c")
    assert (await page(client, "/?group=a%2Fb+%26+c")).job_ids == [2]
    assert "There is no page 2" in (await page(client, "/groups?page=2", 404)).text


async def test_group_page_shows_outcomes_and_all_members(store: Path, client: httpx.AsyncClient) -> None:
    gone = member(5, "IN_PROGRESS", watched=False)
    review = member(4, "SUCCESS", needs_review=["too little"])
    grouped(store, member(1, "SUCCESS"), member(2, "FAILED"), member(3, "REQUESTED"), review, gone)
    filled.add(store, (watches, [filled.seen(6, "FAILED")]))
    found = await page(client, "/?group=release")
    assert sorted(found.job_ids) == [1, 2, 3, 4, 5]
    assert "3 of 5 jobs finished" in found.text
    assert "Succeeded 1 Needs review 1 Failed 1 Running 1 Waiting 1" in found.text
    assert "No expected end: not every unfinished job has an estimate" in found.text
    widths = [part["width"] for part in found.found("rect") if "part" in (part.get("class") or "")]
    assert widths == ["20.0%"] * 5


async def test_group_page_filters_searches_and_exports(store: Path, client: httpx.AsyncClient) -> None:
    grouped(store, member(1, "SUCCESS", name="Weekly"), member(2, "FAILED"))
    filled.add(store, (watches, [filled.seen(3, "FAILED")]))
    assert (await page(client, "/?group=release&status=FAILED")).job_ids == [2]
    assert (await page(client, "/?group=release&q=weekly")).job_ids == [1]
    found = await page(client, "/?group=release&status=REQUESTED")
    assert "No job of the group has the status Waiting" in found.text
    assert found.found("a", href="/?group=release")
    assert found.found("input", type="hidden", name="group")[0]["value"] == "release"
    exported = (await client.get("/jobs.csv?group=release&sort=job_id")).text
    assert [row["job_id"] for row in csv.DictReader(io.StringIO(exported))] == ["1", "2"]


async def test_group_page_shows_the_expected_end(store: Path, client: httpx.AsyncClient) -> None:
    past = {"status": "SUCCESS", "storage_id": "store", "input_filename": "in/1.parquet", "job_type": "x"}
    rows = [
        {"job_id": 1, "ended_at": START - day * timedelta(days=1), "ran": timedelta(hours=1), **past}
        for day in range(1, 6)
    ]
    grouped(store, member(1, "IN_PROGRESS", running_since=START), member(2, "SUCCESS"))
    filled.add(store, (runs, rows))
    assert "Last job expected in 1 h" in (await page(client, "/?group=release")).text
    (group,) = (await client.get("/api/groups")).json()["groups"]
    assert group["ends_at"] == "2026-03-01T13:00:00.000Z"


@pytest.mark.parametrize("path", ["/?group=other", "/?group=%00", "/?group=../x"])
async def test_unknown_group_is_a_friendly_404(store: Path, client: httpx.AsyncClient, path: str) -> None:
    grouped(store, member(1, "SUCCESS"))
    assert "gemwatch does not know this group" in (await page(client, path, 404)).text


async def test_jobs_link_to_their_group(store: Path, client: httpx.AsyncClient) -> None:
    grouped(store, member(1, "SUCCESS"))
    for path in ("/", "/jobs/1"):
        assert (await page(client, path)).found("a", href="/?group=release")


async def test_group_names_are_escaped(store: Path, client: httpx.AsyncClient) -> None:
    filled.add(store, (watches, [member(1, "SUCCESS", EVIL)]), (groups, [opening(EVIL)]))
    for path in ("/", "/groups", "/jobs/1", str(httpx.URL("/", params={"group": EVIL}))):
        found = await page(client, path)
        assert "alert(" in found.text
        assert not found.found("img")


@pytest.mark.parametrize(
    ("jobs", "more", "word"),
    [
        ({"IN_PROGRESS": 2}, {"done_at": None}, "Open"),
        ({"SUCCESS": 2}, {}, "Done"),
        ({"SUCCESS": 1, "FAILED": 1}, {}, "Done, 1 failed"),
        ({"SUCCESS": 1, "needs-review": 2}, {}, "Done, 2 need review"),
        ({"SUCCESS": 1, "FAILED": 1}, {"incomplete": True}, "Incomplete"),
    ],
)
def test_group_badge_shows_its_worst_outcome(jobs: dict[str, int], more: dict[str, Any], word: str) -> None:
    row = {"name": "g", "member_added_at": START, "finished": 2, "jobs": jobs, "done_at": START, **more}
    assert shown_group(GroupRow(**row)).badge.word == word


def test_group_shows_how_many_jobs_are_expected() -> None:
    row = {"name": "g", "member_added_at": START, "done_at": None, "finished": 11, "jobs": {"SUCCESS": 11}}
    shown = shown_group(GroupRow(**row, expect=12))
    assert shown.words == "11 of 12 expected jobs finished, 11 known"
    assert shown.note == "All its known jobs have finished. It waits for 1 more job"
    assert shown_group(GroupRow(**row, expect=11)).words == "11 of 11 jobs finished"


def test_bar_shows_one_job_of_thousands() -> None:
    jobs = {"SUCCESS": 9_999, "FAILED": 1, "PAUSED?": 1}
    shown = shown_group(GroupRow(name="g", member_added_at=START, done_at=None, finished=10_000, jobs=jobs))
    assert [part.badge.word for part in shown.parts] == ["Succeeded", "Failed", "PAUSED?"]
    assert all(part.width > 1 for part in shown.parts)
    assert abs(sum(part.width for part in shown.parts) - 100) < 0.1
