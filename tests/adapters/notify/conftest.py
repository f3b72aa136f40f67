"""Targets that are closed at the end, and Slack on loopback."""

from collections.abc import Iterator

import pytest
from apprise.plugins.slack import NotifySlack

from gemwatch.adapters.notify.targets import Targets
from gemwatch.core.events import Target
from gemwatch.core.secrets import Secrets
from support.sending import Build, Service, serving


@pytest.fixture
def build() -> Iterator[Build]:
    """`build(team=url)`: targets that are closed at the end."""
    made: list[Targets] = []

    def targets(**urls: str) -> Targets:
        made.append(Targets((Target(name=name, url=url) for name, url in urls.items()), Secrets()))
        return made[-1]

    yield targets
    for one in made:
        one.close()


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serving(Service()) as service:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{service.url}/services")
        yield service
