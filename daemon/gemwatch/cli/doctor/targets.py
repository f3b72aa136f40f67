"""Can each target receive messages? Nothing is sent."""

import queue
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from gemwatch.adapters.notify.urls import load, url_advice
from gemwatch.cli.doctor.finding import Finding, ok, warning
from gemwatch.core.events import Target

_PATIENCE = 10.0  # seconds; do not wait for a name server that hangs
# Services whose URL names your own host. In other URLs that place holds a token, which is never shown.
_OWN_HOST = frozenset({"json", "jsons", "xml", "xmls", "form", "forms", "gotify", "gotifys", "ntfy", "ntfys"})


def findings(targets: Sequence[Target], *, online: bool) -> Iterator[Finding]:
    if not targets:
        yield warning("targets", "none: gemwatch sends no messages", "Add one under notify")
    for target in targets:
        name = f"target {target.name}"
        advice = url_advice(target.url)
        host = host_of(target.url) if online else None
        if advice is not None:
            found, _, remedy = advice.partition(". ")
            yield warning(name, found, remedy)
        elif host is not None and not _resolves(host):
            yield warning(
                name,
                f"the name {host} cannot be resolved here",
                "Check the host in its URL and the name server. If a proxy resolves names, ignore this",
            )
        else:
            yield ok(name, "can be read by Apprise" if host is None else f"can be read, and {host} can be found")


def host_of(url: str) -> str | None:
    """The host that messages go to, where it is certain that it is one."""
    plugin: Any = load(url)
    fixed = [getattr(type(plugin), name, None) for name in ("webhook_url", "notify_url", "cloud_notify_url")]
    own = url.partition("://")[0].lower() in _OWN_HOST and "." in (plugin.host or "")
    candidates = [
        getattr(plugin, "smtp_host", None),
        plugin.host if own else None,
        *(urlsplit(place).hostname for place in fixed if isinstance(place, str) and "{" not in place),
    ]
    return next((str(host) for host in candidates if host), None)


def _resolves(host: str) -> bool:
    # getaddrinfo cannot be cancelled: in a daemon thread a name server that hangs holds nothing up.
    answers: queue.SimpleQueue[bool] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(_is_known(host)), name="names", daemon=True).start()
    try:
        return answers.get(timeout=_PATIENCE)
    except queue.Empty:
        return False


def _is_known(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return False
