"""A real browser without a window; pages must cause no errors in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, sync_playwright

from support.tools import find, needs

CHROMIUM = find("chromium")
needs_chromium = [needs("chromium"), needs("libatomic1")]
_QUIETLY = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@contextmanager
def browsing() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_QUIETLY))
        yield browser
        browser.close()


class Watcher:
    """What happens in a browser's context: every request, everything in the console, every fault of a script."""

    def __init__(self, context: BrowserContext) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("console", lambda said: self._console(said.type, said.text))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def strangers(self, base: str) -> list[str]:
        """Requests to other servers."""
        return [url for url in self.requests if not url.startswith(f"{base}/")]


@contextmanager
def context_of(browser: Browser, base: str, **options: Any) -> Iterator[tuple[BrowserContext, Watcher]]:
    """A fresh context, in which everything that is asked for must come from `base`."""
    context = browser.new_context(base_url=base, **options)
    watcher = Watcher(context)
    yield context, watcher
    context.close()
    assert watcher.strangers(base) == []
