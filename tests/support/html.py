"""Pages as HTML: the server over a store, and what a page holds."""

import contextlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import httpx

from gemwatch.core.settings import WebSettings
from support.web import Site

EVIL = """<script>alert("x")</script>'"><img src=x onerror=alert(1)>"""


@contextlib.contextmanager
def opened(store: Path, web: WebSettings | None = None) -> Iterator[Site]:
    site = Site(store, web)
    yield site
    site.views.close()


def client_of(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)


class Parsed(HTMLParser):
    """The text of a page, its elements, and the addresses in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text, self.elements = "", list[tuple[str, dict[str, str | None]]]()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.text += " "

    def handle_data(self, data: str) -> None:
        self.text = re.sub(r"\s+", " ", self.text + data)

    def found(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        wanted = {name.rstrip("_"): value for name, value in attributes.items()}
        return [a for t, a in self.elements if t == tag and wanted.items() <= a.items()]

    @property
    def job_ids(self) -> list[int]:
        return [int((row.get("id") or "").removeprefix("job-")) for row in self.found("tr") if "data-ended" in row]


async def page(client: httpx.AsyncClient, path: str, status: int = 200) -> Parsed:
    answer = await client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8"), answer.text
    return Parsed(answer.text)
