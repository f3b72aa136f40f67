"""Who may see what, and how users log in and out: over real sockets."""

import contextlib
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gemwatch.core.settings import WebSettings
from gemwatch.web.http.access import safe_next
from gemwatch.web.http.sessions import LASTS
from support.clock import FakeClock
from support.web import Site, store_in

TOKEN = "a-token-for-the-web-9f31"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
COOKIE = "gemwatch"
HERE = {"Sec-Fetch-Site": "same-origin"}


@pytest.fixture
def store(tmp_path: Path) -> str:
    return store_in(tmp_path)


@contextlib.asynccontextmanager
async def browsing(store: Path, **web: Any) -> AsyncIterator[tuple[httpx.AsyncClient, FakeClock]]:
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


PAGES = ["/livez", "/healthz", "/readyz", "/metrics", "/api/jobs", "/api/openapi.json", "/api/nothing", "/some/page"]
OPEN = [200, 200, 200, 200, 200, 200, 404, 404]


@pytest.mark.parametrize(
    ("web", "headers", "statuses"),
    [
        ({}, {}, OPEN),
        ({}, {"Authorization": "Bearer whatever"}, OPEN),
        ({"token": TOKEN}, {}, [200, 200, 200, 200, 401, 401, 401, 303]),
        ({"token": TOKEN}, BEARER, OPEN),
        ({"token": TOKEN}, {"Authorization": f"bearer  {TOKEN}"}, OPEN),
        ({"token": TOKEN}, {"Authorization": f"Bearer {TOKEN}x"}, [200, 200, 200, 200, 401, 401, 401, 401]),
        ({"token": TOKEN}, {"Authorization": f"Basic {TOKEN}"}, [200, 200, 200, 200, 401, 401, 401, 303]),
        ({"token": TOKEN}, {"Cookie": f"{COOKIE}={TOKEN}"}, [200, 200, 200, 200, 401, 401, 401, 303]),
        ({"token": TOKEN, "metrics": "token"}, {}, [200, 200, 200, 401, 401, 401, 401, 303]),
        ({"token": TOKEN, "metrics": "token"}, BEARER, OPEN),
        ({"metrics": "token"}, {}, OPEN),
        ({"token": TOKEN}, {"Accept": "text/event-stream"}, [200, 200, 200, 200, 401, 401, 401, 401]),
    ],
)
async def test_access_by_path_and_token(
    store: Path, web: dict[str, Any], headers: dict[str, str], statuses: list[int]
) -> None:
    async with browsing(store, **web) as (client, _):
        assert [(await client.get(page, headers=headers)).status_code for page in PAGES] == statuses


async def test_access_without_token_names_the_header(store: Path) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        answer = await client.get("/api/jobs")
        assert answer.headers["www-authenticate"] == 'Bearer realm="gemwatch"'
        assert "Authorization: Bearer" in answer.json()["error"]
        assert (await client.post("/some/page", headers=HERE)).status_code == 401


async def test_login_leads_to_the_page_asked_for(store: Path) -> None:
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


async def test_logout_ends_every_copy_of_the_session(store: Path) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        copy = {"Cookie": f"{COOKIE}={(await log_in(client)).cookies[COOKIE]}"}
        other = {"Cookie": f"{COOKIE}={(await log_in(client)).cookies[COOKIE]}"}
        client.cookies.clear()
        assert (await client.get("/api/jobs", headers=copy)).status_code == 200
        answer = await client.post("/logout", headers={**HERE, **copy})
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert 'gemwatch=""' in answer.headers["set-cookie"]
        assert (await client.get("/api/jobs", headers=copy)).status_code == 401
        assert (await client.get("/api/jobs", headers=other)).status_code == 200


async def test_logout_counts_for_other_processes_too(store: Path) -> None:
    clock, web = FakeClock(), WebSettings(token=TOKEN)
    one, other = Site(store, web, clock), Site(store, web, clock)
    other.ended = one.ended
    async with one.served() as port, other.served() as other_port, httpx.AsyncClient() as client:
        answer = await client.post(f"http://127.0.0.1:{port}/login", data={"token": TOKEN}, headers=HERE)
        copy = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
        assert (await client.get(f"http://127.0.0.1:{other_port}/api/jobs", headers=copy)).status_code == 200
        await client.post(f"http://127.0.0.1:{port}/logout", headers={**HERE, **copy})
        clock.advance(1)
        client.cookies.clear()
        assert (await client.get(f"http://127.0.0.1:{other_port}/api/jobs", headers=copy)).status_code == 401
    one.views.close()
    other.views.close()


@pytest.mark.parametrize(
    ("public_url", "cookie", "path"),
    [
        ("https://gemwatch.example.com", "__Host-gemwatch", "/"),
        ("https://gemwatch.example.com/gem", "__Secure-gemwatch", "/gem"),
        ("http://gemwatch.example.com/gem", "gemwatch", "/gem"),
        ("http://gemwatch.example.com", "gemwatch", "/"),
    ],
)
async def test_login_cookie_follows_the_public_url(store: Path, public_url: str, cookie: str, path: str) -> None:
    async with browsing(store, token=TOKEN, public_url=public_url) as (client, _):
        answer = await client.post(f"{path.rstrip('/')}/login", data={"token": TOKEN}, headers=HERE)
        assert answer.headers["location"] == f"{path.rstrip('/')}/"
        given, _, attributes = answer.headers["set-cookie"].partition(";")
        assert given.startswith(f"{cookie}=")
        parts = [part.strip().lower() for part in attributes.split(";")]
        assert f"path={path}" in parts
        assert ("secure" in parts) is public_url.startswith("https")
        assert "domain" not in attributes.lower()
        assert (await client.get("/api/jobs", headers={"Cookie": given})).status_code == 200
        assert (await client.get("/api/jobs", headers={"Cookie": given.replace(cookie, "other")})).status_code == 401


async def test_session_expires_after_twelve_hours(store: Path) -> None:
    async with browsing(store, token=TOKEN) as (client, clock):
        answer = await log_in(client)
        cookie = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}
        clock.advance(LASTS.total_seconds() - 1)
        assert (await client.get("/api/jobs", headers=cookie)).status_code == 200
        clock.advance(1)
        assert (await client.get("/api/jobs", headers=cookie)).status_code == 401


async def test_login_with_wrong_token_shows_the_form(store: Path) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        answer = await log_in(client, "wrong", then="/jobs")
        assert answer.status_code == 403
        assert "not the token" in answer.text
        assert 'value="/jobs"' in answer.text
        assert "set-cookie" not in answer.headers
        assert TOKEN not in answer.text


async def wrong_tokens(client: httpx.AsyncClient, count: int = 40, **headers: str) -> list[int]:
    sent = {"Authorization": "Bearer wrong", **headers}
    return [(await client.get("/api/jobs", headers=sent)).status_code for _ in range(count)]


async def test_guesses_of_one_address_are_limited(store: Path) -> None:
    async with browsing(store, token=TOKEN) as (client, clock):
        assert await wrong_tokens(client) == [401] * 10 + [429] * 30
        refused = await client.get("/api/jobs", headers=BEARER)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "6")
        assert (await log_in(client)).status_code == 429
        clock.advance(6)
        assert (await client.get("/api/jobs", headers=BEARER)).status_code == 200


async def test_guesses_do_not_lock_out_known_clients(store: Path) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        assert (await client.get("/api/jobs", headers=BEARER)).status_code == 200
        inside = (await log_in(client)).cookies[COOKIE]
        client.cookies.clear()
        await wrong_tokens(client)
        assert (await client.get("/api/jobs", headers=BEARER)).status_code == 200
        assert (await client.get("/api/jobs", headers={"Cookie": f"{COOKIE}={inside}"})).status_code == 200
        assert (await wrong_tokens(client, 1)) == [429]


async def test_guesses_count_for_the_forwarded_address(store: Path) -> None:
    proxies = (ipaddress.ip_network("127.0.0.0/8"),)
    async with browsing(store, token=TOKEN, proxies=proxies) as (client, _):
        await wrong_tokens(client, **{"X-Forwarded-For": "198.51.100.7, 192.0.2.1"})
        for address, status in (("192.0.2.1", 429), ("198.51.100.7", 200), ("192.0.2.2", 200)):
            sent = {**BEARER, "X-Forwarded-For": address}
            assert (await client.get("/api/jobs", headers=sent)).status_code == status


async def test_guesses_ignore_forwarded_addresses_of_strangers(store: Path) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        for n in range(10):
            await wrong_tokens(client, 1, **{"X-Forwarded-For": f"192.0.2.{n}"})
        assert (await client.get("/api/jobs", headers=BEARER)).status_code == 429


async def test_wrong_tokens_are_reported_once_a_minute(store: Path) -> None:
    clock = FakeClock()
    site = Site(store, WebSettings(token=TOKEN), clock)
    async with site.served() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        await wrong_tokens(client)
        await log_in(client, "wrong")
        clock.advance(60)
        await log_in(client, "wrong")
    site.views.close()
    assert len(site.wrong_tokens) == 42
    assert [place for place, (_, report) in enumerate(site.wrong_tokens) if report] == [0, 41]
    assert {address for address, _ in site.wrong_tokens} == {"127.0.0.1"}


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
async def test_login_forms_of_other_sites_are_refused(
    store: Path, path: str, headers: dict[str, str], status: int
) -> None:
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
async def test_login_refuses_other_and_long_forms(store: Path, body: bytes, kind: str) -> None:
    async with browsing(store, token=TOKEN) as (client, _):
        answer = await client.post("/login", content=body, headers={"Content-Type": kind, **HERE})
        assert answer.status_code == 400


@pytest.mark.parametrize("path", ["/login", "/logout"])
async def test_login_does_not_exist_without_a_token(store: Path, path: str) -> None:
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
def test_login_leads_to_no_other_site(asked: str | None, kept: bool) -> None:  # noqa: FBT001 (a table's column)
    assert safe_next(asked) == (asked if kept else "/")


async def test_access_refuses_other_names_but_probes(store: Path) -> None:
    async with browsing(store) as (client, _):
        strange = {"Host": "rebound.example.com"}
        for page in ("/metrics", "/api/jobs", "/", "/login"):
            answer = await client.get(page, headers=strange)
            assert answer.status_code == 421
            assert "web.hosts" in answer.json()["error"]
        assert (await client.get("/healthz", headers=strange)).status_code == 200
        assert (await client.get("/readyz", headers=strange)).status_code == 200
