"""The pictures in the documentation, of the real pages and of messages: `make screenshots`."""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from support import looks, scene
from support.browser import browsing
from support.daemon import Installation
from support.gem import ScriptedGem
from support.inbox import Inbox

DESK, PHONE = {"width": 1240, "height": 700}, {"width": 390, "height": 844}


def main(folder: Path) -> None:
    """The page in light, dark and on a phone, one job, and a message as each service shows it."""
    pages = {service: looks.page(service, "failed") for service in looks.ALL}
    with tempfile.TemporaryDirectory() as place, ScriptedGem() as gem, Inbox() as inbox:
        installation = Installation(Path(place), gem, inbox)
        scene.install(installation, gem, inbox)
        with installation.daemon(), browsing() as browser:
            base = f"http://127.0.0.1:{installation.port}"
            take(browser, f"{base}/", folder / "page.png")
            take(browser, f"{base}/", folder / "page-dark.png", light="dark")
            take(browser, f"{base}/jobs/{scene.job_id('Spain weekly')}", folder / "job.png")
            take(browser, f"{base}/?group={scene.RELEASE}", folder / "group.png")
            take(browser, f"{base}/", folder / "page-phone.png", size=PHONE)
            for service, page in pages.items():
                take_message(browser, page, folder / f"message-{service}.png")


def take(browser: Browser, url: str, file: Path, *, light: str = "light", size: dict[str, int] = DESK) -> None:
    page = browser.new_page(
        viewport=size,  # type: ignore[arg-type]
        color_scheme=light,  # type: ignore[arg-type]
        timezone_id="Europe/Amsterdam",
    )
    page.goto(url)
    page.locator("#live[data-state=live]").wait_for()
    page.screenshot(path=file, full_page=size is DESK)
    page.close()


def take_message(browser: Browser, content: str, file: Path) -> None:
    """A message as a service shows it, in a page without a server."""
    page = browser.new_page(viewport={"width": 640, "height": 400})
    page.set_content(content)
    page.locator("#message").screenshot(path=file)
    page.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
