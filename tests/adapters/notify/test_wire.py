"""The bytes that go to each kind of service. `make golden` writes the files; review their changes."""

import pytest

from gemwatch.adapters.notify.formats import shape_of
from gemwatch.adapters.notify.urls import load
from gemwatch.core.events import TargetFormat
from gemwatch.core.text.rendering import Format
from support.messages import messages
from support.sending import SLACK
from support.wire import ALL, FOLDER, KINDS, wire

MAIL = "mailto://mail.example.com?from=a@example.com&to=b@example.com"
TELEGRAM = "tgram://123456789:abcdefghijklmnopqrstuvwxyz/42"
TEAMS = "workflows://host.example.com/workflow/s1gn4ture"
DISCORD = "discord://1234567890/abcdefghijklmnop"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("service", ALL)
def test_wire_matches_the_golden_file(service: str, kind: str) -> None:
    assert wire(service, kind) == (FOLDER / f"{service}-{kind}.txt").read_text()


def test_golden_files_are_those_of_the_services() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{one}-{kind}.txt" for one in ALL for kind in KINDS}


@pytest.mark.parametrize(
    ("url", "wanted", "form"),
    [
        (MAIL, TargetFormat.AUTO, Format.HTML),
        (MAIL, TargetFormat.TEXT, Format.TEXT),
        (MAIL, TargetFormat.MARKDOWN, Format.HTML),
        (f"{MAIL}&format=text", TargetFormat.AUTO, Format.TEXT),
        (f"{MAIL}&format=text", TargetFormat.HTML, Format.HTML),
        (SLACK, TargetFormat.AUTO, Format.SLACK),
        (SLACK, TargetFormat.TEXT, Format.TEXT),
        (SLACK, TargetFormat.HTML, Format.SLACK),
        (TELEGRAM, TargetFormat.AUTO, Format.HTML),
        (TELEGRAM, TargetFormat.MARKDOWN, Format.HTML),
        (DISCORD, TargetFormat.AUTO, Format.MARKDOWN),
        (TEAMS, TargetFormat.AUTO, Format.CARD),
        (TEAMS, TargetFormat.MARKDOWN, Format.CARD),
        ("ntfy://topic", TargetFormat.AUTO, Format.TEXT),
        ("ntfy://topic", TargetFormat.MARKDOWN, Format.MARKDOWN),
        ("ntfy://topic?format=markdown", TargetFormat.AUTO, Format.MARKDOWN),
        ("json://host.example.com", TargetFormat.AUTO, Format.TEXT),
        ("json://host.example.com", TargetFormat.HTML, Format.HTML),
        ("sendgrid://abcd:gemwatch@example.com/data@example.com", TargetFormat.AUTO, Format.HTML),
        ("bulksms://user:password@+12015550123", TargetFormat.MARKDOWN, Format.TEXT),
    ],
)
def test_format_follows_configuration_url_and_service(url: str, wanted: TargetFormat, form: Format) -> None:
    assert shape_of(load(url), wanted).form is form


@pytest.mark.parametrize("url", [MAIL, SLACK, TELEGRAM, TEAMS, DISCORD, "ntfy://topic", "bulksms://u:p@+12015550123"])
@pytest.mark.parametrize("name", ["success-hostile", "summary-of-everything", "login-failing"])
def test_messages_fit_the_limit_of_each_service(url: str, name: str) -> None:
    shape = shape_of(load(url), TargetFormat.AUTO)
    assert len(shape.render(messages()[name]).body) <= shape.most


def test_teams_names_are_not_mentions() -> None:
    message = messages()["success-hostile"]
    shape = shape_of(load(TEAMS), TargetFormat.AUTO)
    from dataclasses import replace  # noqa: PLC0415

    from gemwatch.core.text.message import Foreign  # noqa: PLC0415

    hostile = replace(message, title=("SUCCESS: ", Foreign("<at>everyone@example.com</at>")))
    card = load(TEAMS).gen_payload(body=shape.render(hostile).body)  # type: ignore[attr-defined]
    assert "entities" not in card["attachments"][0]["content"]["msteams"]
