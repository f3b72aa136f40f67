"""Pages below the path of the public URL, whether a proxy strips it or not."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gemwatch.core.settings import WebSettings
from support import filled
from support.web import Site, store_in

TOKEN = "a-token-for-the-web-9f31"
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    store = store_in(tmp_path)
    filled.fill(store)
    web = WebSettings(public_url="https://gemwatch.example.com/gem", hosts=("gemwatch.example.com",), token=TOKEN)
    site = Site(store, web)
    async with (
        site.served() as port,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            trust_env=False,
            headers={**BROWSER, "Host": "gemwatch.example.com", "Authorization": f"Bearer {TOKEN}"},
        ) as client,
    ):
        yield client
    site.views.close()


@pytest.mark.parametrize("base", ["", "/gem"])
@pytest.mark.parametrize("path", ["/", "/jobs/2", "/deliveries", "/login", "/no/such/page"])
async def test_every_link_stays_below_the_public_path(client: httpx.AsyncClient, base: str, path: str) -> None:
    answer = await client.get(base + path)
    assert answer.status_code == (404 if path == "/no/such/page" else 200)
    links = re.findall(r'(?:href|src|action|data-events)="([^"#]+)"', answer.text)
    assert len(links) > 4
    assert [link for link in links if not link.startswith("/gem/")] == []
    for link in set(links):
        if "/logout" not in link and "/events" not in link:
            assert (await client.get(link.replace("&amp;", "&"))).status_code == 200, link


async def test_public_path_alone_is_the_first_page(client: httpx.AsyncClient) -> None:
    assert "<h1>Jobs</h1>" in (await client.get("/gem")).text
    assert (await client.get("/gemstone")).status_code == 404


async def test_login_redirect_stays_below_the_public_path(client: httpx.AsyncClient) -> None:
    del client.headers["Authorization"]
    answer = await client.get("/gem/jobs/2?x=1")
    assert (answer.status_code, answer.headers["location"]) == (303, "/gem/login?next=%2Fjobs%2F2%3Fx%3D1")


async def test_no_link_comes_from_a_host_header(client: httpx.AsyncClient) -> None:
    for host in ("127.0.0.1", "localhost:1", "gemwatch.example.com"):
        answer = await client.get("/", headers={"Host": host, "X-Forwarded-Host": "evil.example.com"})
        assert host not in answer.text
        assert "evil.example.com" not in answer.text
