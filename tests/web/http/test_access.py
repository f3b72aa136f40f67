"""Who may look, by which name, and how one logs in and out: over real sockets."""

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gemwatch.core.settings import WebSettings
from gemwatch.web.http.access import COOKIE, safe_next
from gemwatch.web.http.hosts import Hosts, host_of
from gemwatch.web.http.sessions import LASTS, Guesses, Sessions
from support.clock import FakeClock
from support.web import Site, store_in

TOKEN = "a-token-for-the-web-9f31"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    return store_in(tmp_path)


@contextlib.asynccontextmanager
async def browsing(store: str, **web: Any) -> AsyncIterator[tuple[httpx.AsyncClient, FakeClock]]:
    """A browser with no cookies yet, and the server's clock."""
    clock = FakeClock()
    site = Site(store, WebSettings(**web), clock)
    try:
        async with (
            site.served() as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
        ):
            yield client, clock
    finally:
        site.views.close()


async def log_in(client: httpx.AsyncClient, token: str = TOKEN, then: str = "/", **headers: str) -> httpx.Response:
    return await client.post("/login", data={"token": token, "next": then}, headers={**HERE, **headers})


PAGES = ["/healthz", "/readyz", "/metrics", "/api/jobs", "/api/openapi.json", "/api/nothing", "/some/page"]
OPEN = [200, 200, 200, 200, 200, 404, 404]


@pytest.mark.parametrize(
    ("web", "headers", "statuses"),
    [
        ({}, {}, OPEN),
        ({}, {"Authorization": "Bearer whatever"}, OPEN),
        ({"token": TOKEN}, {}, [200, 200, 200, 401, 401, 401, 303]),
        ({"token": TOKEN}, BEARER, OPEN),
        ({"token": TOKEN}, {"Authorization": f"bearer  {TOKEN}"}, OPEN),
        ({"token": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}, [200, 200, 200, 401, 401, 401, 401]),
        ({"token": TOKEN}, {"Authorization": f"Basic {TOKEN}"}, [200, 200, 200, 401, 401, 401, 303]),
        ({"token": TOKEN}, {"Cookie": f"{COOKIE}={TOKEN}"}, [200, 200, 200, 401, 401, 401, 303]),
        ({"token": TOKEN, "metrics": "token"}, {}, [200, 200, 401, 401, 401, 401, 303]),
        ({"token": TOKEN, "metrics": "token"}, BEARER, OPEN),
        ({"metrics": "token"}, {}, OPEN),
        ({"token": TOKEN}, {"Accept": "text/event-stream"}, [200, 200, 200, 401, 401, 401, 401]),
    ],
)
async def test_who_sees_what(store: str, web: dict[str, Any], headers: dict[str, str], statuses: list[int]) -> None:
    async with browsing(store, **web) as (client, _):
        assert [(await client.get(page, headers=headers)).status_code for page in PAGES] == statuses


async def test_a_program_without_the_token_is_told_what_to_send(store: str) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        answer = await client.get("/api/jobs")
        assert answer.headers["www-authenticate"] == 'Bearer realm="gemwatch"'
        assert "Authorization: Bearer" in answer.json()["error"]
        assert (await client.post("/some/page", headers=HERE)).status_code == 401


async def test_a_person_logs_in_and_comes_to_the_page_that_was_asked_for(store: str) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        turned_away = await client.get("/some/page?search=a%26b&x=1")
        assert turned_away.headers["location"] == "/login?next=%2Fsome%2Fpage%3Fsearch%3Da%2526b%26x%3D1"
        form = await client.get(turned_away.headers["location"])
        assert form.status_code == 200
        assert 'value="/some/page?search=a%26b&amp;x=1"' in form.text
        answer = await log_in(client, then="/some/page?search=a%26b&x=1")
        assert (answer.status_code, answer.headers["location"]) == (303, "/some/page?search=a%26b&x=1")
        cookie = answer.headers["set-cookie"].lower()
        assert all(word in cookie for word in ("httponly", "samesite=strict", "path=/", "max-age=43200"))
        assert (await client.get("/api/jobs")).status_code == 200
        assert (await client.get("/some/page")).status_code == 404


async def test_logging_out_takes_the_cookie_away(store: str) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        await log_in(client)
        answer = await client.post("/logout", headers=HERE)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert (await client.get("/api/jobs")).status_code == 401


async def test_a_session_ends_by_itself(store: str) -> None:
    async with browsing(store, token=TOKEN) as (client, clock):
        answer = await log_in(client)
        cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
        clock.advance(LASTS.total_seconds() - 1)
        assert (await client.get("/api/jobs", headers=cookie)).status_code == 200
        clock.advance(1)
        assert (await client.get("/api/jobs", headers=cookie)).status_code == 401


async def test_a_wrong_token_shows_the_form_again_and_no_cookie(store: str) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        answer = await log_in(client, "wrong", then="/jobs")
        assert answer.status_code == 403
        assert "not the token" in answer.text
        assert 'value="/jobs"' in answer.text
        assert "set-cookie" not in answer.headers
        assert TOKEN not in answer.text


async def test_after_many_wrong_tokens_none_is_looked_at_for_a_while(store: str) -> None:
    async with browsing(store, token=TOKEN) as (client, clock):
        inside = (await log_in(client)).cookies[COOKIE]
        client.cookies.clear()
        for _ in range(10):
            assert (await client.get("/api/jobs", headers={"Authorization": "Bearer wrong"})).status_code == 401
        refused = await client.get("/api/jobs", headers=BEARER)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "6")
        assert (await log_in(client)).status_code == 429
        assert (await client.get("/api/jobs", headers={"Cookie": f"{COOKIE}={inside}"})).status_code == 200
        clock.advance(6)
        assert (await client.get("/api/jobs", headers=BEARER)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, 303),
        ({"Sec-Fetch-Site": "none"}, 303),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "http://evil.example.com"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Origin": "{host}"}, 403),
        ({"Origin": "http://{host}"}, 303),
        ({}, 303),
    ],
)
@pytest.mark.parametrize("path", ["/login", "/logout"])
async def test_forms_of_other_sites_are_refused(store: str, path: str, headers: dict[str, str], status: int) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        host = f"{client.base_url.host}:{client.base_url.port}"
        sent = {name: value.format(host=host) for name, value in headers.items()}
        assert (await client.post(path, data={"token": TOKEN}, headers=sent)).status_code == status


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b'{"token": "x"}', "application/json"),
        (b"token=" + b"x" * 5000, "application/x-www-form-urlencoded"),
        (b"token=\xff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 100, "application/x-www-form-urlencoded"),
        (b"", "multipart/form-data; boundary=x"),
    ],
)
async def test_what_is_no_short_form_is_refused(store: str, body: bytes, kind: str) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        answer = await client.post("/login", content=body, headers={"Content-Type": kind, **HERE})
        assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/login", "/logout"])
async def test_where_no_token_is_set_there_is_nothing_to_log_in_to(store: str, path: str) -> None:
    async with browsing(store) as (client, _):
        assert (await client.post(path, headers=HERE)).status_code == 404


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("/", True),
        ("/jobs?a=1#x", True),
        ("//evil.example.com", False),
        ("/\\evil.example.com", False),
        ("/\t/evil.example.com", False),
        ("https://evil.example.com", False),
        ("javascript:alert(1)", False),
        ("jobs", False),
        ("", False),
        (None, False),
        ("/j\N{LATIN SMALL LETTER O WITH DIAERESIS}b", False),
    ],
)
def test_a_login_leads_nowhere_else(asked: str | None, kept: bool) -> None:  # noqa: FBT001 (a table's column)
    assert safe_next(asked) == (asked if kept else "/")


EVERYWHERE = WebSettings(host="0.0.0.0", token=TOKEN)


@pytest.mark.parametrize(
    ("web", "header", "known"),
    [
        (WebSettings(), "localhost", True),
        (WebSettings(), "LocalHost.:8042", True),
        (WebSettings(), "127.0.0.1:1", True),
        (WebSettings(), "127.9.9.9", True),
        (WebSettings(), "[::1]:8042", True),
        (WebSettings(), "[::1", False),
        (WebSettings(), "[evil]", False),
        (WebSettings(), "evil.example.com", False),
        (WebSettings(), "localhost.evil.example.com", False),
        (WebSettings(), "192.0.2.7", False),
        (WebSettings(), "localhost:80@evil", False),
        (WebSettings(), "", False),
        (WebSettings(), None, False),
        (WebSettings(hosts=("gemwatch.example.com",)), "GEMWATCH.example.com:443", True),
        (WebSettings(hosts=("gemwatch.example.com",)), "x.gemwatch.example.com", False),
        (WebSettings(host="192.0.2.7", token=TOKEN), "192.0.2.7:8042", True),
        (WebSettings(host="192.0.2.7", token=TOKEN), "192.0.2.8", False),
        (WebSettings(host="2001:db8::7", token=TOKEN), "[2001:DB8:0::7]:80", True),
        (WebSettings(host="gem.example.com", token=TOKEN), "gem.example.com", True),
        (EVERYWHERE, "192.0.2.8:8042", True),
        (EVERYWHERE, "[2001:db8::7]", True),
        (EVERYWHERE, f"{socket.gethostname()}:8042", True),
        (EVERYWHERE, "evil.example.com", False),
    ],
)
def test_which_names_are_ours(web: WebSettings, header: str | None, known: bool) -> None:  # noqa: FBT001
    assert Hosts(web).include(header) is known


@given(st.text(max_size=60))
def test_no_host_header_upsets_the_reader(header: str) -> None:
    host_of(header)
    assert isinstance(Hosts(EVERYWHERE).include(header), bool)


async def test_a_name_that_is_not_ours_is_told_what_to_set_and_probes_are_answered(store: str) -> None:
    async with browsing(store) as (client, _):
        strange = {"Host": "rebound.example.com"}
        for page in ("/metrics", "/api/jobs", "/", "/login"):
            answer = await client.get(page, headers=strange)
            assert answer.status_code == 421
            assert "web.hosts" in answer.json()["error"]
        assert (await client.get("/healthz", headers=strange)).status_code == 200
        assert (await client.get("/readyz", headers=strange)).status_code == 200


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(TOKEN, clock)


def test_a_cookie_is_good_until_the_token_changes(sessions: Sessions, clock: FakeClock) -> None:
    cookie = sessions.begin()
    assert TOKEN not in cookie
    assert sessions.holds(cookie)
    assert Sessions(TOKEN, clock).holds(cookie)
    assert not Sessions(f"{TOKEN}x", clock).holds(cookie)


@given(at=st.integers(min_value=0), put=st.characters())
@example(at=57, put="a")  # in base64 four endings mean the same bytes
@example(at=16, put="/")
def test_a_cookie_that_was_changed_is_worth_nothing(at: int, put: str) -> None:
    sessions = Sessions(TOKEN, FakeClock())
    cookie = sessions.begin()
    at %= len(cookie)
    changed = cookie[:at] + put + cookie[at + 1 :]
    assert sessions.holds(changed) is (changed == cookie)


@given(st.text(max_size=100))
def test_no_text_is_a_cookie(text: str) -> None:
    assert not Sessions(TOKEN, FakeClock()).holds(text)


def test_guesses_come_back_one_by_one_and_addresses_do_not_share_them(clock: FakeClock) -> None:
    guesses = Guesses(clock)
    for _ in range(10):
        assert guesses.wait("192.0.2.1") == 0
        guesses.wrong("192.0.2.1")
    assert guesses.wait("192.0.2.1") == 6
    assert guesses.wait("192.0.2.2") == 0
    clock.advance(6)
    assert guesses.wait("192.0.2.1") == 0
    guesses.wrong("192.0.2.1")
    assert guesses.wait("192.0.2.1") == 6
    clock.advance(60)
    assert guesses.wait("192.0.2.1") == 0


def test_the_addresses_of_one_ipv6_network_share_their_guesses(clock: FakeClock) -> None:
    guesses = Guesses(clock)
    for n in range(10):
        guesses.wrong(f"2001:db8::{n}")
    assert guesses.wait("2001:db8::ffff") > 0
    assert guesses.wait("2001:db8:0:1::1") == 0


def test_only_so_many_addresses_are_remembered(clock: FakeClock) -> None:
    guesses = Guesses(clock)
    for n in range(5000):
        guesses.wrong(f"10.0.{n // 250}.{n % 250}")
    assert len(guesses) == 1000
