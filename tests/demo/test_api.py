"""The demo's simulated GEM API, held against what TomTom documents of the real one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from gemwatch.adapters.gem.wire import read_details
from gemwatch.adapters.login.token_text import read_token
from gemwatch.core.job import Status, is_end
from gemwatch.core.kinds import EventKind
from gemwatch.core.text.compose import compose
from gemwatch.core.text.rendering import Format, render
from gemwatch.core.text.summary import summarise
from gemwatch.demo.gem import BASE_PATH, KEY, TOKEN_LIFE, TOKEN_PATH, Gem
from gemwatch.demo.inbox import Letter
from gemwatch.demo.lives import ADDED, SPARE, WATCHED, Life
from support.clock import START, FakeClock
from support.events import event_of

ROADS = Life(job_id=1, name="Some roads", waiting=4, running=6)
LANES = Life(job_id=2, name="Some lanes", lanes=True, waiting=1, running=1, end=Status.FAILED)
LATE = Life(job_id=3, name="Late roads", hidden=3, waiting=1)
NEVER = Life(job_id=4, hidden=None)
ENDED = Life(job_id=5, name="Ended roads", ahead=60, waiting=1, running=1)
LIVES = (ROADS, LANES, LATE, NEVER, ENDED)


class Client:
    """Asks the API as the daemon does, or in the ways that it must not be asked."""

    def __init__(self, gem: Gem) -> None:
        transport = httpx.ASGITransport(Starlette(routes=gem.routes()))
        self.http = httpx.AsyncClient(transport=transport, base_url="http://demo")
        self.headers = {"tomtom-api-key": KEY}

    async def log_in(self) -> str:
        answer = await self.http.post(TOKEN_PATH)
        self.headers["Authorization"] = f"Bearer {answer.json()['accessToken']}"
        return answer.text

    async def get(self, path: str, **parameters: str) -> httpx.Response:
        return await self.http.get(f"{BASE_PATH}/{path}", params=parameters, headers=self.headers)

    async def job(self, job_id: int) -> dict[str, Any]:
        answer = await self.get(f"jobs/{job_id}")
        assert answer.status_code == 200
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def gem(clock: FakeClock) -> Gem:
    return Gem(LIVES, clock, faults=0)


@pytest.fixture
async def client(gem: Gem) -> AsyncIterator[Client]:
    one = Client(gem)
    async with one.http:
        await one.log_in()
        yield one


async def test_demo_job_goes_through_every_status(client: Client, clock: FakeClock) -> None:
    statuses = []
    for _ in range(11):
        statuses.append((await client.job(ROADS.job_id))["status"])
        clock.advance(1)
    assert statuses == ["REQUESTED"] * 4 + ["IN_PROGRESS"] * 6 + ["SUCCESS"]


async def test_demo_job_can_fail_or_have_ended_before(client: Client, clock: FakeClock) -> None:
    await client.job(LANES.job_id)
    clock.advance(2)
    assert (await client.job(LANES.job_id))["status"] == "FAILED"
    assert (await client.job(ENDED.job_id))["status"] == "SUCCESS"


async def test_demo_status_without_duration_is_never_seen() -> None:
    life = Life(job_id=6, waiting=8)
    assert [life.status(age) for age in (0, 7.999, 8, 9)] == ["REQUESTED", "REQUESTED", "SUCCESS", "SUCCESS"]


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("life", [*WATCHED, ADDED, *SPARE, *LIVES], ids=lambda life: str(life.job_id))
def test_demo_documents_have_the_documented_shape(life: Life, status: Status) -> None:
    document = life.document(status, START)
    done, lanes = status is Status.SUCCESS, life.lanes
    assert document["job_id"] == life.job_id
    assert document["status"] == status
    assert document["job_type"] == ("LANE_LEVEL_MATCHING" if lanes else "ROAD_MATCHING")
    assert ("orbis_version" in document, "overture_release" in document) == (lanes, not lanes)
    assert document["requested_at"].endswith("Z")
    assert len(document["requested_at"]) == len("2026-02-18T10:38:59.031762Z")
    assert (document["result_filename"] is not None, document["statistics"] is not None) == (done, done)


@pytest.mark.parametrize("life", [life for life in (*WATCHED, ADDED, *SPARE) if life.hidden is not None])
async def test_demo_statistics_add_up(life: Life, clock: FakeClock) -> None:
    client = Client(Gem([life], clock, faults=0))
    await client.log_in()
    while not (answer := await client.get(f"jobs/{life.job_id}")).is_success or not is_end(answer.json()["status"]):
        clock.advance(1)
        await client.log_in()
    details = read_details(answer.text)
    assert details.requested_at is not None
    if life.end is Status.SUCCESS:
        figures = details.statistics
        assert figures is not None
        assert None not in (figures.roads, figures.kilometres, figures.execution_time, figures.confidence_threshold)
        shares = [figures.fully_matched, figures.partially_matched, figures.unmatched]
        assert sum(filter(None, shares)) == pytest.approx(1)
        assert sum(filter(None, shares[:2])) == pytest.approx(figures.matched)
        assert details.requested_at + (figures.execution_time or timedelta()) < clock.now()


@pytest.mark.parametrize("missing", ["tomtom-api-key", "Authorization"])
async def test_demo_requires_both_headers(client: Client, missing: str) -> None:
    del client.headers[missing]
    for answer in (await client.get(f"jobs/{ROADS.job_id}"), await client.get("jobs", job_type="ROAD_MATCHING")):
        assert answer.status_code == 401
        assert answer.json() == {"detail": "invalid credentials"}


@pytest.mark.parametrize(("header", "value"), [("tomtom-api-key", "another"), ("Authorization", "Bearer made-up")])
async def test_demo_refuses_a_wrong_key_or_token(client: Client, header: str, value: str) -> None:
    client.headers[header] = value
    assert (await client.get(f"jobs/{ROADS.job_id}")).status_code == 401


async def test_demo_refuses_an_old_token_until_it_is_renewed(client: Client, clock: FakeClock) -> None:
    clock.advance(TOKEN_LIFE - 0.1)
    assert (await client.get(f"jobs/{ROADS.job_id}")).status_code == 200
    clock.advance(0.1)
    assert (await client.get(f"jobs/{ROADS.job_id}")).status_code == 401
    await client.log_in()
    assert (await client.get(f"jobs/{ROADS.job_id}")).status_code == 200


async def test_demo_refuses_a_revoked_login(client: Client, gem: Gem) -> None:
    gem.logins.revoke_all()
    assert (await client.get(f"jobs/{ROADS.job_id}")).status_code == 401


async def test_demo_token_has_the_form_of_the_azure_cli(client: Client, clock: FakeClock) -> None:
    text = await client.log_in()
    given = read_token(text, clock.now())
    assert client.headers["Authorization"] == f"Bearer {given.value}"
    assert given.expires_at == START + timedelta(seconds=TOKEN_LIFE)


@pytest.mark.parametrize("job_id", [NEVER.job_id, 999, 2**63 - 1, "nonsense", "01"])
async def test_demo_answers_404_in_json_for_an_unknown_id(client: Client, job_id: int | str) -> None:
    answer = await client.get(f"jobs/{job_id}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "job not found"})


async def test_demo_job_can_appear_after_some_404s(client: Client, clock: FakeClock) -> None:
    codes = []
    for _ in range(4):
        codes.append((await client.get(f"jobs/{LATE.job_id}")).status_code)
        clock.advance(1)
    assert codes == [404, 404, 404, 200]


async def test_demo_list_needs_a_type_and_has_its_jobs(client: Client, gem: Gem) -> None:
    assert (await client.get("jobs")).status_code == 400
    roads = (await client.get("jobs", job_type="ROAD_MATCHING")).json()["jobs"]
    lanes = (await client.get("jobs", job_type="LANE_LEVEL_MATCHING")).json()["jobs"]
    assert [(job["job_id"], job["job_type"]) for job in roads] == [
        (ROADS.job_id, "ROAD_MATCHING"),
        (LANES.job_id, "LANE_LEVEL_MATCHING"),  # as in TomTom's own example
        (ENDED.job_id, "ROAD_MATCHING"),
    ]
    assert [job["job_id"] for job in lanes] == [LANES.job_id]
    assert lanes == [await client.job(LANES.job_id)]
    assert gem.answered == {200: 3, 400: 1}


async def _answers(clock: FakeClock, seed: int) -> list[int]:
    client = Client(Gem(LIVES, clock, seed=seed, faults=0.3))
    await client.log_in()
    answers = [await client.get(f"jobs/{ROADS.job_id}") for _ in range(40)]
    assert {a.headers["content-type"].partition(";")[0] for a in answers if a.is_error} == {"text/html"}
    return [answer.status_code for answer in answers]


async def test_demo_500s_are_the_same_for_the_same_seed(clock: FakeClock) -> None:
    first = await _answers(clock, 1)
    assert set(first) == {200, 500}
    assert await _answers(clock, 1) == first
    assert await _answers(clock, 2) != first


def test_demo_reads_the_outcome_from_the_message() -> None:
    events = [
        (1, event_of(EventKind.SUCCESS, at=START, job_id=7, name="Netherlands roads")),
        (2, event_of(EventKind.NOT_FOUND, at=START, job_id=8)),
        (3, event_of(EventKind.FAILED, at=START, job_id=9, name="Roads (job 5)")),
    ]
    expected = {("SUCCESS", 7), ("NOT FOUND", 8), ("FAILED", 9)}
    messages = [render(compose(number, event, now=START), Format.TEXT) for number, event in events]
    alone = [Letter(target="chat", title=m.title, body=m.body, tone="info").outcomes for m in messages]
    assert {one for letter in alone for one in letter} == expected
    summary = render(summarise(events, now=START), Format.TEXT)
    assert set(Letter(target="chat", title=summary.title, body=summary.body, tone="info").outcomes) == expected
