"""Errors as browsers meet them: pages; as programs meet them: JSON."""

from pathlib import Path

import httpx
import pytest

from gemwatch.core.settings import WebSettings
from support.web import Site, store_in

TOKEN = "a-token-for-the-web-9f31"
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Authorization": f"Bearer {TOKEN}"}

CASES = [
    ("GET", "/no/such/page", {}, 404, "This page does not exist"),
    ("GET", "/api/nothing", {}, 404, "This page does not exist"),
    ("DELETE", "/", {}, 405, "does not take that request"),
    ("POST", "/login", {"Content-Type": "application/json"}, 400, "cannot be answered"),
    ("POST", "/login", {"Sec-Fetch-Site": "cross-site"}, 403, "sent from another site"),
    ("GET", "/", {"Host": "elsewhere.example.com"}, 421, "does not answer to this name"),
    ("GET", "/", {"Authorization": "Bearer wrong"}, 401, "Log in first"),
    ("GET", "/metrics", {}, 500, "Something went wrong in gemwatch"),
]


@pytest.mark.parametrize("case", CASES)
async def test_error_is_a_page_for_browsers_and_json_for_programs(
    tmp_path: Path, case: tuple[str, str, dict[str, str], int, str]
) -> None:
    method, path, headers, status, words = case
    site = Site(store_in(tmp_path), WebSettings(token=TOKEN))
    site.program.text = b""  # which makes /metrics fail
    async with site.served() as port, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        shown = await client.request(method, path, headers={**BROWSER, **headers})
        assert (shown.status_code, shown.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert words in shown.text
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert "secret://" not in shown.text
        assert "elsewhere" not in shown.text
        told = await client.request(method, path, headers={**BROWSER, **headers, "Accept": "*/*"})
        assert (told.status_code, list(told.json())) == (status, ["error"])
    site.views.close()
