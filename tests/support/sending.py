"""Targets that a test builds, messages for them, and a stand-in for Slack's side of the wire."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gemwatch.adapters.notify.targets import Targets
from gemwatch.core.text.rendering import Rendered
from gemwatch.core.work import NotSent, Outcome
from support.http import Handler, Server

HELLO = Rendered(title="SUCCESS: job 7", body="Result: seven.parquet\n\ngw-1")
SLACK = "slack://TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC"
Build = Callable[..., Targets]


@dataclass
class Service:
    """A service on the other side of the wire: what it answers, and every request that came."""

    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""
    port: int = 0


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    class ServiceHandler(Handler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            service.posts.append((self.path, dict(self.headers), body))
            self.answer(service.status, service.body, service.headers)

    with Server(ServiceHandler) as server:
        service.url, service.port = server.url, server.port
        yield service


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, NotSent)
    assert outcome.reason == " ".join(outcome.reason.split())
    assert 0 < len(outcome.reason) <= 400
    return outcome.reason
