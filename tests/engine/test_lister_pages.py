"""Lists with more pages, which TomTom does not document."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gemwatch.core.settings import Settings
from support.clock import FakeClock
from support.gem import Answer, ScriptedGem, document
from support.rig import EVERY, Rig, running, settings_for

JOBS = range(1, 31)


def settings_of(gem: ScriptedGem, folder: Path) -> Settings:
    settings = settings_for(gem, folder, [], JOBS)
    return replace(settings, poll=replace(settings.poll, sweep=True))


def in_pages(size: int, link: str, known: range = JOBS) -> Any:
    """Answers with pages of this size; `link` is formatted with the next page's number."""

    def answer(path: str) -> Answer:
        page = int(parse_qs(urlsplit(path).query).get("page", ["1"])[0])
        jobs = [document(job_id, "IN_PROGRESS") for job_id in known[(page - 1) * size : page * size]]
        following = link.format(page + 1) if page * size < len(known) else None
        return Answer(body=json.dumps({"jobs": jobs, "total": len(known), "next": following}).encode())

    return answer


async def listed(rig: Rig, clock: FakeClock) -> None:
    await rig.poll(after=EVERY * 0)
    clock.advance(EVERY.total_seconds() * 0.9)
    await rig.lister.round()


def polled_at(rig: Rig) -> set[str]:
    return {job["last_polled_at"] for job in rig.records.status()["jobs"]}


@pytest.mark.parametrize("link", ["?job_type=ROAD_MATCHING&page={}", "/jobs?job_type=ROAD_MATCHING&page={}", "{}"])
async def test_all_pages_of_a_list_are_read(gem: ScriptedGem, clock: FakeClock, tmp_path: Path, link: str) -> None:
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    gem.lists = in_pages(7, link)
    async with running(settings_of(gem, tmp_path), clock) as rig:
        await listed(rig, clock)
        assert gem.listed() == 5
        assert len(polled_at(rig)) == 1  # every job was in the list
        assert rig.housekeeping.notes()["list_hints"] == {"ROAD_MATCHING": {"next": "a link", "total": "30"}} or (
            link == "{}"
        )


@pytest.mark.parametrize(
    "link", ["https://elsewhere.example.com/jobs?page={}", "?job_type=ROAD_MATCHING&page=1", "?page=2", "1", "x y"]
)
async def test_links_that_lead_nowhere_end_the_list(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path, link: str
) -> None:
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    gem.lists = in_pages(7, link)
    async with running(settings_of(gem, tmp_path), clock) as rig:
        await listed(rig, clock)
        assert gem.listed() <= 3
        assert {request.path.partition("?")[0] for request in gem.requests if request.job_id is None} == {"/jobs"}
        assert len(polled_at(rig)) == 2  # the first page counts


async def test_missing_page_is_noted(gem: ScriptedGem, clock: FakeClock, tmp_path: Path) -> None:
    for job_id in JOBS:
        gem.answers(job_id, "IN_PROGRESS")
    pages = in_pages(7, "?page={}")
    gem.lists = lambda path: Answer(status=500) if "page=3" in path else pages(path)
    async with running(settings_of(gem, tmp_path), clock) as rig:
        await listed(rig, clock)
        hints = rig.housekeeping.notes()["list_hints"]["ROAD_MATCHING"]
        assert "HTTP 500" in hints["incomplete"]
        assert len(polled_at(rig)) == 2
