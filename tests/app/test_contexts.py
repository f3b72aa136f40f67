"""What messages know about the instance that sends them."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname

import pytest

from gemwatch.app.contexts import contexts
from gemwatch.core.events import Target
from gemwatch.core.settings import ApiSettings, Postgresql, Settings, StoreSettings, TokenSource, WebSettings

AT = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)


def settings(command: tuple[str, ...] | None) -> Settings:
    token = TokenSource(command=command) if command else TokenSource(value="t")
    return Settings(
        name="gis-prod",
        api=ApiSettings(key="k", token=token),
        store=StoreSettings(place=Path("/tmp/gemwatch.db")),
        web=WebSettings(public_url="https://gemwatch.example.com/gem"),
        targets=(Target(name="mail", url="json://h", time_zone="Europe/Amsterdam"),),
    )


@pytest.mark.parametrize(
    ("command", "login"),
    [
        (
            ("az", "account", "get-access-token", "--scope", "https://gem.example.com/x"),
            "az login --scope https://gem.example.com/x",
        ),
        (("/usr/bin/az", "account", "get-access-token"), "az login"),
        (("az", "account", "get-access-token", "--scope"), "az login"),
        (("vault", "read", "--scope", "x"), None),
        (None, None),
    ],
)
def test_context_has_the_command_to_log_in(command: tuple[str, ...] | None, login: str | None) -> None:
    assert contexts(settings(command), None)["mail"].login_command == login


@pytest.mark.parametrize(
    ("name", "shown"), [("gis-prod", f"gis-prod ({gethostname()})"), (gethostname(), gethostname())]
)
def test_instance_on_postgresql_names_the_host(name: str, shown: str) -> None:
    store = StoreSettings(place=Postgresql(database="gemwatch"))
    assert contexts(replace(settings(None), name=name, store=store), None)["mail"].name == shown


def test_context_has_instance_pages_zone_and_configuration() -> None:
    context = contexts(settings(None), Path("etc/my config.yaml"))["mail"]
    assert (context.name, context.public_url) == ("gis-prod", "https://gemwatch.example.com/gem")
    assert AT.astimezone(context.zone).hour == 14
    assert context.command("{gemwatch} check") == f"gemwatch --config '{Path.cwd()}/etc/my config.yaml' check"
