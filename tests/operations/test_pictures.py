"""The pictures and screens of the documentation, which `make screenshots` makes."""

import re
from pathlib import Path

import pytest

from support import looks, screens

DOCS = Path(__file__).parents[2] / "docs"


def test_screens_fit_80_columns() -> None:
    shown = re.findall(
        r"^```text\n\$ gemwatch (\w+).*?\n(.*?)^```$", (DOCS / "screens.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert {name for name, _ in shown} >= {
        "init",
        "check",
        "status",
        "history",
        "estimate",
        "deliveries",
        "wait",
        "doctor",
    }
    for name, screen in shown:
        if name != "deliveries":  # which shows messages as they were sent
            assert [line for line in screen.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("service", looks.ALL)
def test_recipes_show_a_small_picture_of_a_message(service: str) -> None:
    picture = f"message-{service}.png"
    assert f"({picture})" in (DOCS / "targets.md").read_text()
    assert 5_000 < (DOCS / picture).stat().st_size < 100_000


@pytest.mark.parametrize("service", looks.ALL)
@pytest.mark.parametrize("kind", ["success-hostile", "summary-of-jobs"])
def test_every_message_can_be_drawn(service: str, kind: str) -> None:
    assert "gw-" in looks.page(service, kind)


def test_screens_hide_what_differs_between_machines() -> None:
    output = "instance: vm: gemwatch 0.1.0, Python 3.11.7, Linux\r\n    6.1.2-x\r\nin /tmp/place: 77 MiB are free\r\n"
    shown = screens.fit(output, Path("/tmp/place"), ["doctor"])
    assert shown == (
        "$ gemwatch doctor\ninstance: vm: gemwatch 0.1.0, Python 3.13.7, Linux 6.12\n"
        "in /home/gemwatch: 51200 MiB are free"
    )
