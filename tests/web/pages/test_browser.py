"""The page as people use it: a real browser before the real daemon."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from support import scene
from support.browser import browsing, context_of, needs_chromium
from support.daemon import Daemon, Installation
from support.gem import ScriptedGem, document
from support.inbox import Inbox
from support.waiting import PATIENCE, wait_until

pytestmark = needs_chromium
expect.set_options(timeout=PATIENCE * 1000)

EVIL = """<script>document.title='x'</script>"'><img src=x onerror=alert(1)>"""
NETHERLANDS, DENMARK = (scene.job_id(f"{name} weekly") for name in ("Netherlands", "Denmark"))
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1240, "height": 800}


class World:
    """A daemon after some weeks, whose jobs move as a test says."""

    def __init__(self, folder: Path, gem: ScriptedGem, inbox: Inbox) -> None:
        self.gem, self.installation = gem, Installation(folder, gem, inbox)
        self._watch = scene.install(self.installation, gem, inbox)
        self.base = f"http://127.0.0.1:{self.installation.port}"
        self._last = 900

    def watch(self, status: str, name: str, group: str | None = None, **details: str) -> int:
        """Watch another job, which is polled every second."""
        self._last += 1
        self.gem.answers(self._last, document(self._last, status, **details))
        self._watch.append({"job": self._last, "name": name, "every": "1s", **({"group": group} if group else {})})
        self.installation.configure(watch=self._watch)
        wait_until(lambda: self.gem.asked(self._last), "its first poll")
        return self._last


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with ScriptedGem() as gem, Inbox() as inbox:
        world = World(tmp_path_factory.mktemp("world"), gem, inbox)
        with world.installation.daemon():
            yield world


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


Open = Callable[..., Page]


@pytest.fixture
def show(world: World, browser: Browser) -> Iterator[Open]:
    """`show("/jobs/7")`: a page in a fresh browser, which must not complain about anything to the end of the test."""
    with ExitStack() as stack:
        watchers = []

        def shown(path: str, **options: object) -> Page:
            context, watcher = stack.enter_context(context_of(browser, world.base, **options))
            watchers.append(watcher)
            page = context.new_page()
            page.goto(path)
            return page

        yield shown
        assert [complaint for watcher in watchers for complaint in watcher.complaints] == []


def is_live(page: Page) -> None:
    expect(page.locator("#live")).to_have_text("Live")


def test_jobs_move_while_the_page_is_open(world: World, show: Open) -> None:
    job_id = world.watch("REQUESTED", "Malta pilot")
    page = show("/")
    is_live(page)
    page.evaluate("window.sameAsBefore = true")
    row = page.locator(f"#job-{job_id}")
    for status, word in (("REQUESTED", "Waiting"), ("IN_PROGRESS", "Running"), ("SUCCESS", "Succeeded")):
        world.gem.answers(job_id, status)
        expect(row.locator(".badge")).to_have_text(word)
    expect(row).to_contain_text("84.7 % matched")
    expect(page.locator("#news")).to_have_text("Malta pilot: Succeeded")
    assert page.evaluate("window.sameAsBefore")


def test_search_follows_typing_and_survives_updates(world: World, show: Open) -> None:
    job_id = world.watch("REQUESTED", "Typed for")
    page = show("/")
    is_live(page)
    expect(page.locator(f"#job-{job_id}")).to_be_visible()
    search = page.get_by_role("searchbox")
    search.press_sequentially("typed f")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=typed\+f$"))
    world.gem.answers(job_id, "IN_PROGRESS")
    expect(page.locator(f"#job-{job_id} .badge")).to_have_text("Running")
    expect(search).to_be_focused()
    search.press("o")
    expect(search).to_have_value("typed fo")
    assert page.evaluate("document.activeElement.selectionStart") == len("typed fo")


def test_updates_keep_scroll_and_focus(world: World, show: Open) -> None:
    job_id = world.watch("REQUESTED", "Far above")
    page = show("/?sort=job_id&order=ascending", viewport={"width": 900, "height": 400})
    is_live(page)
    link = page.get_by_role("link", name="Austria weekly")
    link.focus()
    assert page.evaluate("scrollY") > 0
    place = link.evaluate("it => Math.round(it.getBoundingClientRect().top)")
    world.gem.answers(job_id, "IN_PROGRESS")
    expect(page.locator(f"#job-{job_id} .badge")).to_have_text("Running")
    expect(link).to_be_focused()
    assert link.evaluate("it => Math.round(it.getBoundingClientRect().top)") == place


def test_filter_sort_and_open_a_job(show: Open) -> None:
    page = show("/")
    page.get_by_role("link", name="Failed 1").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("link", name="Failed 1")).to_have_attribute("aria-current", "true")
    page.get_by_role("link", name=re.compile("^All")).click()
    page.get_by_role("columnheader", name="Job").get_by_role("link").click()
    expect(page.get_by_role("columnheader", name="Job")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Denmark weekly").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Denmark weekly")
    expect(page.get_by_role("img", name=re.compile("^Matched, oldest first"))).to_be_visible()
    expect(page.get_by_role("heading", name="Deliveries")).to_be_visible()


def test_group_moves_while_its_page_is_open(world: World, show: Open) -> None:
    job_id = world.watch("IN_PROGRESS", "Grouped", group="pilot")
    page = show("/groups")
    page.get_by_role("link", name="pilot").click()
    is_live(page)
    expect(page.locator(".lead")).to_contain_text("0 of 1 job finished")
    world.gem.answers(job_id, "FAILED")
    expect(page.locator(".lead")).to_contain_text("1 of 1 job finished")
    expect(page.locator(".title .badge")).to_have_text("Done, 1 failed")
    page.get_by_role("link", name="Grouped").click()
    page.get_by_role("link", name="pilot").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("pilot")


def test_keyboard_alone_reaches_a_job(show: Open) -> None:
    page = show("/?q=netherlands")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Netherlands weekly":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/jobs/{NETHERLANDS}$"))


def test_names_from_outside_run_no_code(world: World, show: Open) -> None:
    job_id = world.watch("IN_PROGRESS", EVIL, input_filename=EVIL, storage_id=EVIL)
    page = show(f"/jobs/{job_id}")
    is_live(page)
    expect(page.get_by_role("heading", level=1)).to_have_text(EVIL[:80])
    expect(page.locator(".facts")).to_contain_text(EVIL)
    assert page.evaluate("document.title") == f"{EVIL[:80]}: Running, gemwatch"
    assert page.locator("main img").count() == 0


def test_times_use_the_zone_of_the_browser(show: Open) -> None:
    page = show(f"/jobs/{DENMARK}", timezone_id="Asia/Tokyo")
    expect(page.locator("#zone")).to_have_text(", all times in Asia/Tokyo")
    time = page.locator(".steps time").first
    utc = datetime.fromisoformat(time.get_attribute("datetime") or "")
    assert f"{(utc.hour + 9) % 24:02}:{utc.minute:02}:" in (time.text_content() or "")


def test_page_works_without_javascript(show: Open) -> None:
    page = show("/", java_script_enabled=False)
    expect(page.locator("#zone")).to_have_text(", all times in UTC")
    expect(page.locator("#live")).to_be_hidden()
    page.get_by_role("searchbox").fill("denmark")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Denmark weekly").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Denmark weekly")
    page.get_by_role("link", name=scene.RELEASE).click()
    expect(page.locator("tbody tr")).to_have_count(7)
    page.get_by_role("searchbox").fill("denmark")
    page.get_by_role("button", name="Search").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.get_by_role("heading", level=1)).to_have_text(scene.RELEASE)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        f"/jobs/{DENMARK}",
        f"/jobs/{NETHERLANDS}",
        "/deliveries",
        "/?q=nothing+like+it",
        "/groups",
        f"/?group={scene.RELEASE}",
    ],
)
def test_pages_are_accessible_on_desk_and_phone(show: Open, path: str) -> None:
    page = show(path, viewport=PHONE)
    is_live(page)
    assert_accessible(page)


def assert_accessible(page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for size, light in ((PHONE, "light"), (DESK, "dark")):
        page.set_viewport_size(size)  # type: ignore[arg-type]
        page.emulate_media(color_scheme=light)  # type: ignore[arg-type]
        found = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found if grave(one["impact"])] == []


def test_login_and_error_pages_are_accessible(installation: Installation, gem: ScriptedGem, browser: Browser) -> None:
    installation.configure(web={"listen": f"127.0.0.1:{installation.port}", "token": "vK3r9TqLw8ZsXb2n"})
    base = f"http://127.0.0.1:{installation.port}"
    with installation.daemon(), context_of(browser, base, viewport=PHONE) as (context, _):
        page = context.new_page()
        page.goto("/no/such/page")
        expect(page).to_have_url(re.compile("/login"))
        assert_accessible(page)
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("This is not the token.")
        assert_accessible(page)
        page.get_by_label("Token").fill("vK3r9TqLw8ZsXb2n")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("This page does not exist")
        assert_accessible(page)


TEXTS = """button => {
  window.texts = [];
  new MutationObserver(() => window.texts.push(button.textContent)).observe(button, { childList: true });
}"""


def test_ids_and_file_names_are_copied_by_a_button(show: Open) -> None:
    page = show(f"/jobs/{DENMARK}", permissions=["clipboard-read", "clipboard-write"])
    is_live(page)
    button = page.get_by_role("button", name="Copy job id")
    button.evaluate(TEXTS)
    button.click()
    wait_until(lambda: "Copied" in page.evaluate("window.texts"), "the word on the button")
    assert page.evaluate("navigator.clipboard.readText()") == str(DENMARK)


def grave(impact: str | None) -> bool:
    return impact in ("serious", "critical")


def test_page_follows_a_restarted_daemon(installation: Installation, gem: ScriptedGem, browser: Browser) -> None:
    gem.answers(7, "IN_PROGRESS")
    installation.configure(watch=[{"job": 7, "name": "Weekly"}])
    with context_of(browser, f"http://127.0.0.1:{installation.port}") as (context, _):
        page = context.new_page()
        with installation.daemon() as daemon:
            page.goto("/")
            is_live(page)
            expect(page.locator("#job-7 .badge")).to_have_text("Running")
            stop(daemon)
        expect(page.locator("#live")).to_have_text("Reconnecting")
        gem.answers(7, "SUCCESS")
        with installation.daemon():
            is_live(page)
            expect(page.locator("#job-7 .badge")).to_have_text("Succeeded")
            page.goto("about:blank")


def test_ended_session_leads_to_the_login_and_back(
    installation: Installation, gem: ScriptedGem, browser: Browser
) -> None:
    token = "a-token-for-the-page"
    gem.answers(7, "REQUESTED")
    installation.configure(watch=[7], web={"listen": f"127.0.0.1:{installation.port}", "token": token})
    with installation.daemon(), context_of(browser, f"http://127.0.0.1:{installation.port}") as (context, _):
        page = context.new_page()
        page.goto("/?q=7")
        for _ in range(2):
            page.get_by_label("Token").fill(token)
            page.get_by_role("button", name="Log in").click()
            is_live(page)
            expect(page).to_have_url(re.compile(r"/\?q=7$"))
            context.clear_cookies()
            gem.answers(7, *["IN_PROGRESS", "REQUESTED"] * 50)  # something happens: the page asks for itself again
            expect(page).to_have_url(re.compile(r"/login\?next=%2F%3Fq%3D7$"))


def stop(daemon: Daemon) -> None:
    """As a supervisor would; a page that listens must not keep it."""
    assert daemon.stop() == 0
