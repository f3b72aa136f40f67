"""The pages as HTML, over real sockets from a real store."""

import csv
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemwatch.adapters.store.tables import details, messages, service, target_health, watches
from gemwatch.core.settings import WebSettings
from support import filled, scene
from support.clock import START
from support.html import EVIL, Parsed, client_of, opened, page
from support.web import Site, store_in


@pytest.fixture
def store(tmp_path: Path) -> str:
    return store_in(tmp_path)


@pytest.fixture
def shown(store: Path) -> Iterator[Site]:
    with opened(store) as site:
        yield site


LOCKED = WebSettings(host="127.0.0.1", token="a" * 32)


@pytest.fixture
async def client(shown: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with shown.served() as port, client_of(port) as client:
        yield client


async def test_empty_watch_list_shows_how_to_add_a_job(client: httpx.AsyncClient) -> None:
    assert "gemwatch watch 123456789" in (await page(client, "/")).text


async def test_list_shows_every_watched_job(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    found = await page(client, "/")
    assert sorted(found.job_ids) == [1, 2, 3, 4, 2**63 - 1]
    for words in ("Not seen yet", "Waiting", "Running", "PAUSED?", "Failed", "Weekly NL", "in/2.parquet"):
        assert words in found.text
    assert "The API answered 2 times in a row that there is no such job" in found.text


async def test_list_is_filtered_and_sorted_by_its_address(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    assert (await page(client, "/?status=FAILED")).job_ids == [2**63 - 1]
    assert (await page(client, "/?status=not+seen+yet")).job_ids == [1]
    assert (await page(client, "/?q=weekly")).job_ids == [2]
    assert (await page(client, "/?sort=job_id&order=ascending")).job_ids == [1, 2, 3, 4, 2**63 - 1]
    doubtful = {**filled.seen(9, "SUCCESS"), "needs_review": ["matched 50.0 %, below the floor of 80.0 %"]}
    filled.add(store, (watches, [doubtful]))
    assert "Needs review 1" in (await page(client, "/")).text
    assert (await page(client, "/?needs_review=true")).job_ids == [9]
    assert (await page(client, "/?status=needs-review")).job_ids == [9]
    assert (await page(client, "/?status=SUCCESS")).job_ids == []
    assert "No job matches" in (await page(client, "/?q=nothing+like+this")).text


async def test_failures_are_red_banners_with_a_remedy(store: Path, shown: Site, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    shown.program.reason = "polls: no progress for 75 s"
    found = await page(client, "/")
    assert "gemwatch makes no progress: polls: no progress for 75 s" in found.text
    assert "The GEM API gives no usable answer" in found.text
    assert "1 notification could not be delivered" in found.text
    assert [banner["role"] for banner in found.found("div") if "role" in banner] == [
        "alert",
        "alert",
        "alert",
    ]
    assert found.found("link", rel="icon")[0]["href"].endswith("/state-failing.svg")  # type: ignore[union-attr]


async def test_banner_commands_can_be_copied(store: Path, client: httpx.AsyncClient) -> None:
    remedy = "Renew the login. As user gw, run:\n  az login --scope '<S>'\nWithout a browser, add --use-device-code."
    notes = {"login": "refused", "login_reason": "HTTP 401", "login_remedy": remedy, "fallbacks": {"team": "mail"}}
    down = {"target": "team", "failing_since": START, "down_since": START, "probes": 1, "announced": True}
    rows = [{"name": name, "value": value} for name, value in notes.items()]
    filled.add(store, (service, rows), (target_health, [down]))
    html = (await client.get("/")).text
    assert "<pre><code>az login --scope &#39;&lt;S&gt;&#39;</code></pre>" in html
    assert "<pre><code>gemwatch --config /etc/gemwatch/config.yaml check --online</code></pre>" in html
    assert "refuses gemwatch&#39;s login: HTTP 401" in html
    assert "<pre><code>gemwatch --config /etc/gemwatch/config.yaml test-notify team</code></pre>" in html
    assert "Its messages go to the fallback until it accepts messages again." in html


async def test_list_of_ten_thousand_jobs_has_a_hundred_a_page(store: Path, client: httpx.AsyncClient) -> None:
    filled.add(store, (watches, [filled.watch(number, name=f"job {number}") for number in range(1, 10_001)]))
    seen: list[int] = []
    path: str | None = "/?sort=job_id&order=ascending&page=99"
    first = await page(client, "/?sort=job_id&order=ascending")
    assert first.job_ids == list(range(1, 101))
    assert "Page 1 of 100" in first.text
    while path is not None:
        found = await page(client, path)
        seen += found.job_ids
        path = next((link["href"] for link in found.found("a", rel="next")), None)
    assert seen == list(range(9_801, 10_001))


async def test_job_has_a_page_of_its_own(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    found = await page(client, "/jobs/5")
    for words in (
        "weekly be",
        "Succeeded",
        "50.0 % matched",
        "in/5.parquet",
        "Compared with earlier runs",
        "team",
        "gw-1",
    ):
        assert words in found.text
    assert "last seen waiting" in found.text or "before that: waiting" in found.text


@pytest.mark.parametrize("job_id", ["99", "0", "-1", "x", "1.0", str(2**63), "9" * 400, "٣", "%3Cb%3E", "5%00"])
async def test_unknown_job_is_a_friendly_404(store: Path, client: httpx.AsyncClient, job_id: str) -> None:
    filled.fill(store)
    found = await page(client, f"/jobs/{job_id}", 404)
    assert "gemwatch does not know this job" in found.text
    assert found.found("a", href="/")


async def test_failed_deliveries_come_first(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    everything = await page(client, "/deliveries")
    assert [row.get("id") for row in everything.found("tr") if row.get("id")] == [
        "delivery-2",
        "delivery-3",
        "delivery-1",
    ]
    assert everything.found("a", href="/jobs/5")
    assert "weekly be 5 " in everything.text
    failed = await page(client, "/deliveries?state=failed")
    assert [row.get("id") for row in failed.found("tr") if row.get("id")] == ["delivery-2"]


@pytest.mark.parametrize("path", ["/", "/jobs/7", "/deliveries", f"/?q={EVIL}&status={EVIL}", "/jobs/8"])
async def test_texts_from_outside_are_escaped(store: Path, client: httpx.AsyncClient, path: str) -> None:
    details = {"input_filename": EVIL, "result_filename": EVIL, "storage_id": EVIL, "job_type": EVIL}
    move = {"before": None, "after": EVIL, "observed_at": START, "answer": "{}"}
    filled.add(
        store,
        (watches, [{**filled.seen(7, "X"), "name": EVIL, "last_error": EVIL, "needs_review": [EVIL]}]),
        (watches, [filled.watch(8, status=EVIL, status_since=START, document=filled.document(8, "X", **details))]),
        (filled.transitions, [{**move, "job_id": 7}, {**move, "job_id": 8}]),
        (filled.events, [{"kind": EVIL, "at": START, "job_id": 7, "facts": {}}]),
        (
            filled.deliveries,
            [{"event_id": 1, "target": EVIL, "state": "failed", "expires_at": START, "last_error": EVIL}],
        ),
    )
    found = await page(client, path)
    assert all(attributes.get("src", "").startswith("/static/") for attributes in found.found("script"))  # type: ignore[union-attr]
    assert not found.found("img")
    assert "alert(" in found.text


@pytest.mark.parametrize("path", ["/", "/jobs/482917335", "/jobs/482917300", "/jobs/1", "/deliveries", "/login"])
async def test_pages_hold_nothing_their_policy_forbids(tmp_path: Path, path: str) -> None:
    place = tmp_path / "gemwatch.db"
    scene.seed(place, START)
    with opened(place, LOCKED) as site:
        async with site.served() as port, client_of(port) as client:
            answer = await client.get(path, headers={"Authorization": f"Bearer {LOCKED.token}"})
    assert "unsafe" not in answer.headers["content-security-policy"]
    found = Parsed(answer.text)
    assert len(found.elements) > 20
    for tag, attributes in found.elements:
        assert not any(name == "style" or name.startswith("on") for name in attributes), (tag, attributes)
        assert tag not in ("style", "base", "iframe", "object")
        for name in ("src", "href", "action"):
            assert (attributes.get(name) or "/").startswith(("/", "#")), (tag, attributes)
            assert not (attributes.get(name) or "").startswith("//"), (tag, attributes)


async def test_static_files_are_named_by_their_content(client: httpx.AsyncClient) -> None:
    found = await page(client, "/")
    style = found.found("link", rel="stylesheet")[0]["href"]
    assert style is not None
    answer = await client.get(style)
    assert (answer.headers["content-type"], answer.headers["x-content-type-options"]) == (
        "text/css; charset=utf-8",
        "nosniff",
    )
    assert "immutable" in answer.headers["cache-control"]
    older = await client.get("/static/0123456789abcdef/style.css")
    assert (older.content, older.headers["cache-control"]) == (answer.content, "no-cache")


@pytest.mark.parametrize("name", ["nothing.css", "..%2fpages.py", "%2e%2e/pages.py", "style.css/", ""])
async def test_static_files_are_only_our_own(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.get(f"/static/x/{name}")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/jobs/5", "/deliveries"])
async def test_lost_store_is_shown_with_a_remedy(
    store: Path, shown: Site, client: httpx.AsyncClient, path: str
) -> None:
    store.unlink()  # noqa: ASYNC240 (nothing waits for it)
    found = await page(client, path, 503)
    assert "gemwatch cannot use its database" in found.text
    assert "check the disk" in found.text


async def test_login_page_shows_the_error_and_keeps_next(store: Path) -> None:
    with opened(store, LOCKED) as site:
        async with site.served() as port, client_of(port) as client:
            asked = await client.get("/jobs/7?x=%22%3E")
            login = await page(client, asked.headers["location"])
            assert login.found("input", type="hidden", name="next")[0]["value"] == "/jobs/7?x=%22%3E"
            assert "autofocus" in login.found("input", name="token")[0]
            again = await client.post("/login", data={"token": "wrong", "next": "/"})
            assert again.status_code == 403
            assert Parsed(again.text).found("p", role="alert")
            await client.post("/login", data={"token": "a" * 32, "next": "/"})
            assert (await page(client, "/")).found("form", method="post", action="/logout")


def test_scene_has_every_kind_of_job() -> None:
    """So that what the pictures show, and what the browser is let loose on, is what the pages can show."""
    states: set[Any] = {life.end for life in scene.WATCHED} | {bool(life.needs_review) for life in scene.WATCHED}
    assert states == {"SUCCESS", "FAILED", True, False}


async def test_list_shows_problems_first(store: Path, client: httpx.AsyncClient) -> None:
    later = START + filled.MINUTE
    jobs = [
        filled.seen(1, "SUCCESS", at=later),
        filled.seen(2, "FAILED"),
        {**filled.seen(3, "SUCCESS"), "needs_review": ["too little"]},
        filled.watch(4, misses=3),
        filled.seen(5, "IN_PROGRESS", at=later),
        {**filled.seen(6, "IN_PROGRESS"), "reported_missing": True, "misses": 3},
        filled.seen(7, "FAILED", at=later),
    ]
    filled.add(store, (watches, jobs))
    assert (await page(client, "/")).job_ids == [7, 2, 3, 6, 4, 5, 1]


async def test_unknown_jobs_are_not_found_and_can_be_filtered(store: Path, client: httpx.AsyncClient) -> None:
    filled.add(store, (watches, [filled.watch(4, misses=3), filled.watch(5)]))
    found = await page(client, "/")
    assert "Not found 1" in found.text
    assert "Not seen yet 1" in found.text
    assert (await page(client, "/?status=not-found")).job_ids == [4]
    assert (await page(client, "/?status=not+seen+yet")).job_ids == [5]
    assert "Not found" in (await page(client, "/jobs/4")).text


async def test_chips_count_what_the_search_finds(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    found = await page(client, "/?q=weekly")
    assert "All 1" in found.text
    assert "Waiting 1" in found.text
    assert "Failed 1" not in found.text


async def test_list_reports_a_page_or_status_that_does_not_exist(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    assert "There is no page 99: there is only one page" in (await page(client, "/?page=99", 404)).text
    assert "There is no page 99: there is only one page" in (await page(client, "/deliveries?page=99", 404)).text
    found = await page(client, "/?status=DONE")
    assert "No watched job has the status DONE" in found.text
    assert not [chip for chip in found.found("a") if "status=DONE" in (chip.get("href") or "") and "class" in chip]


@pytest.mark.parametrize("path", ["/?q=%00", "/?status=%00", "/jobs.csv?q=%00"])
async def test_nul_matches_nothing(store: Path, client: httpx.AsyncClient, path: str) -> None:
    filled.fill(store)
    answer = await client.get(path)
    assert answer.status_code == 200
    assert "job-2" not in answer.text
    assert "Weekly" not in answer.text
    assert (await client.get("/api/jobs?search=%00")).json()["total"] == 0


async def test_failed_job_shows_the_reason_from_gem(store: Path, client: httpx.AsyncClient) -> None:
    failed = filled.watch(7, status="FAILED", status_since=START, seen_at=START)
    filled.add(store, (watches, [failed]), (details, [reason(7, "column 'geometry' is missing")]))
    for path in ("/", "/jobs/7"):
        assert "GEM: column 'geometry' is missing" in (await page(client, path)).text


def reason(job_id: int, text: str) -> dict[str, Any]:
    return {"job_id": job_id, "failure": [text], "answer": filled.document(job_id, "FAILED", message=text)}


@pytest.mark.parametrize("sort", ["matched", "expected_end", "duration", "problems"])
async def test_list_sorts_by_every_order(store: Path, client: httpx.AsyncClient, sort: str) -> None:
    filled.fill(store)
    for order in ("ascending", "descending"):
        assert len((await page(client, f"/?sort={sort}&order={order}")).job_ids) == 5


async def test_job_page_links_to_its_json_and_copies_ids(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    found = await page(client, "/jobs/5")
    assert found.found("a", href="/api/jobs/5")
    assert [button["data-copy"] for button in found.found("button", class_="copy")] == ["5", "in/5.parquet", "store"]


async def test_csv_has_all_jobs_of_the_list(store: Path, client: httpx.AsyncClient) -> None:
    filled.add(store, (watches, [filled.watch(number, name=f"job {number}") for number in range(1, 1_201)]))
    answer = await client.get("/jobs.csv?sort=job_id&order=ascending")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [int(row["job_id"]) for row in rows] == list(range(1, 1_201))
    assert len(list(csv.reader(io.StringIO((await client.get("/jobs.csv?q=job+120")).text)))) == 3


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", '=HYPERLINK("http://e","x")', "a,b\n=c"])
async def test_csv_cells_are_never_formulas(store: Path, client: httpx.AsyncClient, name: str) -> None:
    filled.add(store, (watches, [filled.watch(1, name=name)]))
    row = next(csv.DictReader(io.StringIO((await client.get("/jobs.csv")).text, newline="")))
    assert row["name"] == (name if name.startswith("a") else f"'{name}")


async def test_badge_shows_a_state_and_no_names(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    answer = await client.get("/badge.svg")
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "gemwatch: GEM API down" in answer.text
    assert "weekly" not in answer.text.lower()


@pytest.mark.parametrize(("badge", "status"), [("open", 200), ("login", 303)])
async def test_badge_is_open_only_where_configured(store: Path, badge: str, status: int) -> None:
    with opened(store, WebSettings(token="a" * 32, badge=badge)) as site:
        async with site.served() as port, client_of(port) as client:
            answer = await client.get("/badge.svg")
            assert answer.status_code == status
            if badge == "open":
                assert answer.headers["cross-origin-resource-policy"] == "cross-origin"


async def test_numbers_stay_with_their_units(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    assert "50.0\N{NO-BREAK SPACE}% matched" in (await client.get("/jobs/5")).text


async def test_targets_that_are_down_have_a_banner(store: Path, client: httpx.AsyncClient) -> None:
    down = {"target": "team-slack", "failing_since": START, "down_since": START, "reason": "no_service"}
    columns = {column.name for column in target_health.c}
    filled.add(store, (target_health, [{name: value for name, value in down.items() if name in columns}]))
    found = await page(client, "/")
    assert "team-slack: the target does not accept messages: no_service. Since " in found.text


async def test_deliveries_show_the_text_as_sent(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    text = {"at": START, "title": "SUCCESS: weekly be", "body": "All of it <b>", "format": "text"}
    sent = {"event_id": 1, "target": "chat", "state": "sent", "expires_at": START, "message_id": 1}
    filled.add(store, (messages, [text]), (filled.deliveries, [sent]))
    for path in ("/deliveries", "/jobs/5"):
        assert "SUCCESS: weekly be All of it <b>" in (await page(client, path)).text


async def test_rerouted_deliveries_are_listed_and_filtered(store: Path, client: httpx.AsyncClient) -> None:
    filled.fill(store)
    rerouted = {"event_id": 1, "target": "chat", "state": "rerouted", "expires_at": START}
    filled.add(store, (filled.deliveries, [rerouted]))
    for path in ("/deliveries", "/deliveries?state=rerouted"):
        found = await page(client, path)
        assert found.text.count("Rerouted") >= 2  # the chip and the row
        assert "chat" in found.text
