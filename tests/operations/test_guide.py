"""docs/operations.md keeps up with the program."""

import re
from pathlib import Path

from gemwatch.app.metrics import Metrics, Snapshot
from gemwatch.core.events import EventKind

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/operations.md").read_text()


def test_every_event_of_the_log_is_in_it() -> None:
    said = set()
    for file in (ROOT / "daemon/gemwatch").rglob("*.py"):
        if "demo" not in file.parts:
            said |= set(re.findall(r'\blog\.(?:debug|info|warning|error|exception)\(\s*"([^"]+)"', file.read_text()))
    assert {"transition", "configuration refused"} <= said
    assert sorted(event for event in said if f"`{event}`" not in GUIDE) == []


def test_every_metric_is_in_it() -> None:
    text = Metrics("test").render(Snapshot()).decode()
    names = set(re.findall(r"^# TYPE (gemwatch_\w+)", text, re.MULTILINE))
    assert len(names) > 10
    missing = {name for name in names if name not in GUIDE}
    assert missing <= {"gemwatch_config_last_reload_success_timestamp_seconds"}  # shortened there


def test_every_event_that_is_told_is_in_it() -> None:
    assert [kind for kind in EventKind if f"`{kind}`" not in GUIDE and kind is not EventKind.STARTED] == []


def test_its_links_lead_somewhere() -> None:
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
