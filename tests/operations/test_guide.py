"""docs/operations.md keeps up with the program."""

import re
from pathlib import Path

from gemwatch.adapters.store.databases.postgresql import Upkeep
from gemwatch.app.metrics import Gauges, Metrics
from gemwatch.core.kinds import DEFAULT_EVENTS, EventKind

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/operations.md").read_text()


def log_events() -> set[str]:
    events = set()
    for file in (ROOT / "daemon/gemwatch").rglob("*.py"):
        if "demo" not in file.parts:
            calls = re.findall(r'\blog\.(?:debug|info|warning|error|exception)\(\s*"([^"]+)"', file.read_text())
            events |= set(calls)
    return events


def test_guide_lists_every_log_event() -> None:
    assert {"transition", "config_refused", "component_failed"} <= log_events()
    assert "event" not in log_events()  # the name of the field
    assert sorted(event for event in log_events() if f"`{event}`" not in GUIDE) == []


def test_log_events_are_short_names_for_filters() -> None:
    assert sorted(event for event in log_events() if not re.fullmatch(r"[a-z]+(_[a-z]+){0,3}", event)) == []


def test_guide_lists_every_metric() -> None:
    upkeep = Upkeep(oldest_transaction=0.5, dead_rows=7, live_rows=9)
    text = Metrics("test").render(Gauges(upkeep=upkeep)).decode()
    names = set(re.findall(r"^# TYPE (gemwatch_\w+)", text, re.MULTILINE))
    assert len(names) > 10
    assert sorted(name for name in names if name not in GUIDE) == []


def test_readme_lists_every_event_and_its_default() -> None:
    table = (ROOT / "README.md").read_text().split("## Notifications")[1].split("\n\n")[2]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]
    default = {kind: row[2] for row in rows for kind in re.findall(r"`([a-z-]+)`", row[0])}
    assert default == {kind.value: "yes" if kind in DEFAULT_EVENTS else "no" for kind in EventKind}


def test_login_page_names_the_folder_of_the_unit() -> None:
    unit = (ROOT / "systemd/gemwatch.service").read_text()
    (folder,) = re.findall(r"^Environment=AZURE_CONFIG_DIR=(\S+)", unit, re.MULTILINE)
    pages = "".join(page.read_text() for page in sorted((ROOT / "docs").glob("*.md")))
    assert set(re.findall(r"/var/lib/gemwatch/\.?azure", pages)) == {folder}


def test_guide_lists_every_event() -> None:
    assert [kind for kind in EventKind if f"`{kind}`" not in GUIDE and kind is not EventKind.STARTED] == []


def test_links_of_the_guides_exist() -> None:
    for file in (ROOT / "docs/operations.md", ROOT / "systemd/README.md"):
        text = file.read_text()
        for target in re.findall(r"\]\(([^)]+)\)", text):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            other = file.parent / path if path else file
            assert other.exists(), target
            headings = re.findall(r"^#+ (.+)$", other.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert not anchor or anchor in anchors, target
