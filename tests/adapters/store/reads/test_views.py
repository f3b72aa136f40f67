"""What the pages and the API read from a real store."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.store.database import open_to_read, open_to_write
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads.json_shapes import deliveries_page_json, history_json, jobs_page_json, service_json
from gemwatch.adapters.store.reads.records import Records
from gemwatch.adapters.store.reads.rows import JobRow, Page
from gemwatch.adapters.store.reads.view_queries import JOB_ORDERS
from gemwatch.adapters.store.reads.views import Views
from gemwatch.adapters.store.tables import watches
from gemwatch.core.job import UNSEEN
from gemwatch.core.settings import Place
from support.clock import START, FakeClock
from support.filled import add, fill, seen, watch
from support.json_records import JsonRecords
from support.web import store_in

LAST = 2**63 - 1


@pytest.fixture
def store(place: Place) -> Place:
    fill(place)
    return place


@pytest.fixture
def views(store: Place) -> Iterator[Views]:
    views = Views(store, FakeClock())
    yield views
    views.close()


def ids(page: Page[JobRow]) -> list[int]:
    return [job.job_id for job in page.rows]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [1, 2, 3, 4, 5, LAST]),
        ({"search": "weekly"}, [2, 5]),
        ({"search": "in/3.par"}, [3]),
        ({"search": "775807"}, [LAST]),
        ({"search": '"%_\\'}, [4]),
        ({"search": "%"}, [4]),
        ({"search": "_"}, [4]),
        ({"search": "\\"}, [4]),
        ({"search": "\N{FACTORY}"}, [4]),
        ({"search": "no such thing"}, []),
        ({"status": ["SUCCESS", "FAILED"]}, [5, LAST]),
        ({"status": ["PAUSED?"]}, [4]),
        ({"status": [UNSEEN, "REQUESTED"]}, [1, 2]),
        ({"status": [UNSEEN]}, [1]),
        ({"status": ["x' OR 1=1 --"]}, []),
        ({"watched": True, "finished": True}, [LAST]),
        ({"watched": False}, [5]),
        ({"finished": False}, [1, 2, 3, 4]),
        ({"needs_review": True}, []),
        ({"needs_review": False, "finished": True}, [5, LAST]),
        ({"sort": "job_id", "descending": True, "limit": 2}, [LAST, 5]),
        ({"limit": 2, "offset": 3}, [4, 5]),
        ({"offset": 100}, []),
        ({"sort": "name"}, [4, 5, 2, 1, 3, LAST]),
        ({"sort": "name", "descending": True}, [2, 5, 4, 1, 3, LAST]),
        ({"sort": "next_poll_at"}, [3, 2, 1, 4, 5, LAST]),
        ({"sort": "status", "finished": False}, [3, 4, 2, 1]),
    ],
)
async def test_jobs_are_found_ordered_and_paged(views: Views, asked: dict[str, Any], found: list[int]) -> None:
    page = await views.jobs(**asked)
    assert ids(page) == found
    if not {"limit", "offset"} & asked.keys():
        assert page.total == len(found)


async def test_successes_that_need_review_are_found_and_counted(views: Views, store: Place) -> None:
    doubtful = {**seen(9, "SUCCESS"), "needs_review": ["matched 50.0 %, below the floor of 80.0 %"]}
    add(store, (watches, [doubtful, {**doubtful, "job_id": 10, "watched": False}]))
    assert ids(await views.jobs(needs_review=True)) == [9, 10]
    assert (await views.service()).needs_review == 1


async def test_jobs_have_their_names(views: Views) -> None:
    assert await views.names({1, 2, 5, 999}) == {2: "Weekly NL", 5: "weekly be"}


async def test_page_has_the_total_and_its_range(views: Views) -> None:
    page = await views.jobs(finished=False, limit=2, offset=1)
    assert (page.total, page.limit, page.offset) == (4, 2, 1)


async def test_jobs_and_deliveries_have_the_shapes_of_the_commands(views: Views, store: Place) -> None:
    records = JsonRecords(open_to_read(store))
    jobs = sorted(records.status(now=START)["jobs"], key=lambda job: int(job["job_id"]))
    assert jobs_page_json(await views.jobs())["jobs"] == jobs
    assert deliveries_page_json(await views.deliveries())["deliveries"] == records.deliveries()[::-1]


async def test_job_view_has_its_whole_history(views: Views, store: Place) -> None:
    job, records = await views.job(5), Records(open_to_read(store))
    assert job is not None
    assert list(job.transitions) == records.history(5)
    assert [one.target for one in job.deliveries] == ["team", "mail"]
    shape = history_json(job)
    assert [run["running_seconds"] for run in shape["runs"]] == [120, 300, 540]
    assert shape["previous"] == shape["runs"][0]


async def test_unseen_job_has_no_runs(views: Views) -> None:
    job = await views.job(1)
    assert job is not None
    assert (job.runs, job.transitions, job.job.job) == ((), (), None)
    assert await views.job(999) is None


async def test_unfinished_job_shows_all_earlier_runs_of_its_input(views: Views, store: Place) -> None:
    again = seen(77, "IN_PROGRESS")
    again["document"] = again["document"].replace("in/77.parquet", "in/5.parquet")
    add(store, (watches, [again]))
    job = await views.job(77)
    assert job is not None
    assert len(job.runs) == 4


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [3, 2, 1]),
        ({"state": "failed"}, [2]),
        ({"target": "team"}, [3, 1]),
        ({"job_id": 5}, [2, 1]),
        ({"job_id": 5, "state": "sent", "target": "team"}, [1]),
        ({"limit": 1, "offset": 1}, [2]),
        ({"target": "nobody"}, []),
    ],
)
async def test_deliveries_are_found_newest_first(views: Views, asked: dict[str, Any], found: list[int]) -> None:
    page = await views.deliveries(**asked)
    assert [one.id for one in page.rows] == found
    if "limit" not in asked:
        assert page.total == len(found)


async def test_service_view_has_health_and_counts(store: Place) -> None:
    views = Views(store, FakeClock(), lambda: "disk full")
    service = service_json(await views.service(), version="1.2.3")
    views.close()
    assert service == {
        "version": "1.2.3",
        "store_failure": "disk full",
        "store_trouble": "disk full",
        "config": "ok",
        "config_since": None,
        "many_refused_since": None,
        "login": "ok",
        "login_since": "2026-03-01T12:00:00.000Z",
        "api": "down",
        "api_since": None,
        "token_expires_at": "2026-03-01T13:00:00Z",
        "targets_down": [],
        "deliveries": {"pending": 1, "failed": 1},
        "jobs": {UNSEEN: 1, "REQUESTED": 1, "IN_PROGRESS": 1, "PAUSED?": 1, "FAILED": 1},
        "needs_review": 0,
        "replicas": [],
    }


async def test_marker_changes_only_with_commits(views: Views, store: Place) -> None:
    first = await views.changed()
    await views.jobs()
    assert await views.changed() == first
    add(store, (watches, [watch(50)]))
    second = await views.changed()
    assert second != first
    assert await views.changed() == second


async def test_marker_changes_when_the_store_fails(store: Place) -> None:
    failure: list[str | None] = [None]
    views = Views(store, FakeClock(), lambda: failure[0])
    before = await views.changed()
    failure[0] = "disk full"
    assert await views.changed() != before
    views.close()


async def test_views_do_not_block_a_writer(views: Views, store: Place) -> None:
    engine = open_to_write(store)
    with engine.begin() as connection:
        connection.execute(sa.update(watches).values(name="new"))
        assert (await views.jobs(search="new")).total == 0
    engine.dispose()
    assert (await views.jobs(search="new")).total == 6


async def test_failing_store_is_reported_and_retried(tmp_path: Path) -> None:
    place = store_in(tmp_path)
    views, file = Views(place, FakeClock()), tmp_path / "gemwatch.db"
    sound = file.read_bytes()
    file.write_bytes(b"no database" * 1000)
    with pytest.raises(StoreError, match="the store does not work: file is not a database"):
        await views.jobs()
    file.write_bytes(sound)
    assert (await views.jobs()).total == 0
    views.close()


async def test_ten_thousand_jobs_are_searched_like_ten(place: Place) -> None:
    add(place, (watches, [{**seen(n, "SUCCESS"), "name": f"job {n}"} for n in range(1, 10_001)]))
    views = Views(place, FakeClock())
    page = await views.jobs(search="in/99", sort="name", descending=True, limit=5)
    assert page.total == 111
    assert ids(page) == [9999, 9998, 9997, 9996, 9995]
    views.close()


@pytest.mark.parametrize("text", ["\0", "job\0", "\0 1"])
async def test_search_for_nul_finds_nothing(place: Place, text: str) -> None:
    add(place, (watches, [{**seen(1, "SUCCESS"), "name": "job 1"}]))
    views = Views(place, FakeClock())
    assert ids(await views.jobs(search="job")) == [1]
    assert ids(await views.jobs(search=text)) == []
    views.close()


@given(st.text(min_size=1, max_size=30).filter(lambda text: "\x00" not in text), st.sampled_from(sorted(JOB_ORDERS)))
def test_search_finds_names_that_contain_the_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, sort: str
) -> None:
    assert asyncio.run(_search(_once(tmp_path_factory), text, sort)) == [1]


_STORES: list[Path] = []


def _once(factory: pytest.TempPathFactory) -> Path:
    if not _STORES:
        _STORES.append(store_in(factory.mktemp("search")))
    return _STORES[0]


async def _search(place: Path, text: str, sort: str) -> list[int]:
    engine = open_to_write(place)
    with engine.begin() as connection:
        connection.execute(sa.delete(watches))
        connection.execute(
            sa.insert(watches), [watch(1, name=f"a{text}b"), watch(2, name="@@@"), watch(3, name=None)]
        )
    engine.dispose()
    views = Views(place, FakeClock())
    try:
        json.dumps(jobs_page_json(await views.jobs()))
        return ids(await views.jobs(search=f"a{text}b", sort=sort))
    finally:
        views.close()
