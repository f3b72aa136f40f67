"""What really goes over the wire to each kind of service, through the plugins' own code, as golden files.

`python -m support.wire` writes the files (`make golden` does).
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemwatch.adapters.notify.targets import Targets
from gemwatch.core.events import Target
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.secrets import Secrets
from gemwatch.core.text.message import Message
from gemwatch.core.work import Sent
from support.mail import MailServer
from support.messages import messages
from support.sending import Service, serving

FOLDER = Path(__file__).parents[1] / "adapters/notify/wire"
KINDS = ("success-hostile", "failed", "login-failing", "summary-of-jobs")
_IDS = MessageIds(message="gw-4711.0123456789abcdef0123", thread="job-7.01234567")


@dataclass(frozen=True, kw_only=True)
class Wire:
    """A service: its URL once the server is known, what it answers, and the class attributes that name its host."""

    url: Callable[[int], str]
    answer: bytes = b"ok"
    redirect: Callable[[int], Mapping[str, tuple[str, str]]] = lambda _port: {}


SERVICES = {
    "slack": Wire(
        url=lambda _: "slack://TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC",
        redirect=lambda port: {"slack": ("webhook_url", f"http://127.0.0.1:{port}/services")},
    ),
    "telegram": Wire(
        url=lambda _: "tgram://123456789:abcdefghijklmnopqrstuvwxyz/42",
        answer=b'{"ok": true, "result": {}}',
        redirect=lambda port: {"tgram": ("notify_url", f"http://127.0.0.1:{port}/bot")},
    ),
    "discord": Wire(
        url=lambda _: "discord://1234567890/abcdefghijklmnop",
        redirect=lambda port: {"discord": ("notify_url", f"http://127.0.0.1:{port}/api/webhooks")},
    ),
    "ntfy": Wire(url=lambda port: f"ntfy://127.0.0.1:{port}/gem", answer=b"{}"),
    "json": Wire(url=lambda port: f"json://127.0.0.1:{port}/hook"),
    "mattermost": Wire(url=lambda port: f"mmost://127.0.0.1:{port}/3ccdd113474722377935511fc85d3dd4"),
}


@contextmanager
def redirected(wire: Wire, port: int) -> Iterator[None]:
    """Point class attributes of Apprise's plugins at loopback; that is not our own code."""
    from gemwatch.adapters.notify.plugins import N_MGR  # noqa: PLC0415 (loads all plugins)

    kept: list[tuple[Any, str, Any]] = []
    for schema, (name, value) in wire.redirect(port).items():
        plugin = N_MGR[schema]
        kept.append((plugin, name, getattr(plugin, name)))
        setattr(plugin, name, value)
    try:
        yield
    finally:
        for plugin, name, value in kept:
            setattr(plugin, name, value)


def posted(name: str, message: Message) -> str:
    """The requests that one message makes, readable and without what differs each time."""
    wire = SERVICES[name]
    with ExitStack() as stack:
        service = stack.enter_context(serving(Service(body=wire.answer)))
        stack.enter_context(redirected(wire, service.port))
        _deliver(wire.url(service.port), message)
    shown = []
    for path, headers, body in service.posts:
        priority = "".join(f"{one}: {headers[one]}\n" for one in ("X-Priority", "X-Markdown") if one in headers)
        shown.append(f"POST {path}\n{priority}\n{json.dumps(json.loads(body), indent=2, ensure_ascii=False)}\n")
    text = "\n".join(shown).replace(str(service.port), "PORT")
    return re.sub(r'("ts": )[\d.]+', r"\1TIME", text)


def mailed(message: Message) -> str:
    """The mail, with its parts as they are read."""
    with MailServer() as server:
        _deliver(f"mailto://127.0.0.1:{server.port}?from=gemwatch@example.com&to=data@example.com", message)
    return readable(server.letters[0].content)


def readable(content: bytes) -> str:
    from email import message_from_bytes, policy  # noqa: PLC0415

    mail = message_from_bytes(content, policy=policy.default)
    head = "".join(f"{name}: {value}\n" for name, value in mail.items() if name not in {"Date", "Content-Type"})
    parts = [
        f"--- {part.get_content_type()}\n{part.get_content()}" for part in mail.walk() if not part.is_multipart()
    ]
    return re.sub(r"\r\n?", "\n", head + "\n" + "\n".join(parts))


def carded(message: Message) -> str:
    """The card for Teams, as Apprise's plugin builds it: its sending insists on TLS and a host of Microsoft's."""
    targets = Targets([Target(name="teams", url="workflows://host.example.com/workflow/s1gn4ture")], Secrets())
    rendered = targets.render("teams", message)
    from gemwatch.adapters.notify.urls import load  # noqa: PLC0415

    payload = load("workflows://host.example.com/workflow/s1gn4ture").gen_payload(body=rendered.body)  # type: ignore[attr-defined]
    targets.close()
    return json.dumps(payload, indent=2, ensure_ascii=False) + "\n"


def wire(service: str, kind: str) -> str:
    message = messages()[kind]
    if service == "mail":
        return mailed(message)
    return carded(message) if service == "teams" else posted(service, message)


def _deliver(url: str, message: Message) -> None:
    async def send() -> None:
        targets = Targets([Target(name="team", url=url)], Secrets())
        try:
            outcome = await targets.send("team", targets.render("team", message), _IDS)
            assert outcome == Sent(), outcome
        finally:
            targets.close()

    asyncio.run(send())


ALL = ("mail", "teams", *SERVICES)

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for one in ALL:
        for what in KINDS:
            (FOLDER / f"{one}-{what}.txt").write_text(wire(one, what))
            sys.stdout.write(f"{one}-{what}.txt\n")
