"""Rules that concern several keys of a configuration, and warnings about unwise values."""

import ipaddress
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gemwatch.adapters.config import section_values
from gemwatch.adapters.config.bad_value import did_you_mean, quoted
from gemwatch.adapters.config.document import Misfit
from gemwatch.adapters.config.keys import TokenKeys
from gemwatch.adapters.config.references import Substituted
from gemwatch.adapters.config.strict_yaml import KeyPath
from gemwatch.core.settings import AzureCredential, Postgresql, Settings

_NOT_FOR: Mapping[str, frozenset[str]] = {  # the keys that a credential does not use
    AzureCredential.CLI: frozenset({"client_id", "client_secret"}),
    AzureCredential.MANAGED_IDENTITY: frozenset({"tenant_id", "client_secret"}),
    AzureCredential.DEFAULT: frozenset({"tenant_id", "client_id", "client_secret"}),
}
_WITH_PASSWORD = re.compile(r"postgresql[^/]*://[^/@:]*:[^/@]+@")
_SECRETS: tuple[KeyPath, ...] = (
    ("api", "key"),
    ("api", "token", "value"),
    ("api", "token", "azure", "client_secret"),
    ("heartbeat", "url"),
    ("web", "token"),
)


def misfits(document: Mapping[str, Any]) -> Iterator[Misfit]:
    """Mistakes that concern several keys. pydantic's own validators would stop at the first wrong key."""
    yield from _token(document)
    yield from _reachable(document)
    yield from _fallbacks(document)


def warnings(document: Mapping[str, Any], settings: Settings, file: Path) -> Iterator[Misfit]:
    """Values that are valid but unwise."""
    if not _is_private(settings.api.base_url):
        yield Misfit(("api", "base_url"), "sends key and token unencrypted; write https://HOST/PATH")
    if file.stat().st_mode & stat.S_IROTH:
        for at in _literal_secrets(document):
            remedy = f"run chmod o-r {file}, or write ${{VAR}}"
            yield Misfit(at, f"is a secret in a file that every user of this machine can read; {remedy}")
    if isinstance(settings.store.place, Postgresql) and not _is_verified(settings.store.place):
        yield Misfit(
            ("store", "url"), "does not verify the server, so others could read along; add ?sslmode=verify-full"
        )
    yield from _too_many_watches(settings)
    yield from _empty_groups(settings)


def _token(document: Mapping[str, Any]) -> Iterator[Misfit]:
    token = _at(document, ("api", "token"))
    if not isinstance(token, dict):
        return
    known = TokenKeys.__annotations__
    if len(token.keys() & known.keys()) != 1:
        yield Misfit(("api", "token"), f"give exactly one of {', '.join(known)}")
    azure = token.get("azure")
    credential = azure.get("credential") if isinstance(azure, dict) else None
    if isinstance(azure, dict) and isinstance(credential, str):
        for key in azure.keys() & _NOT_FOR.get(credential, frozenset()):
            what = f"is not used by {credential}; remove it"
            yield Misfit(("api", "token", "azure", key), what, key=True)


def _reachable(document: Mapping[str, Any]) -> Iterator[Misfit]:
    section = document.get("web")
    if isinstance(section, dict) and "token" not in section and section_values.is_reachable(section.get("listen")):
        yield Misfit(
            ("web", "listen"),
            "can be reached from other machines, so web.token is needed: make one with openssl rand -hex 24 and "
            "refer to it with ${VAR} or ${file:PATH}; or listen on 127.0.0.1",
        )


def _fallbacks(document: Mapping[str, Any]) -> Iterator[Misfit]:
    targets = document.get("notify")
    if not isinstance(targets, dict):
        return
    for name in targets:
        at = ("notify", name, "fallback")
        fallback = _at(document, at)
        if not isinstance(fallback, str) or not fallback:
            continue
        if fallback == name:
            yield Misfit(at, "is this target itself; name another one")
        elif fallback not in targets:
            yield Misfit(at, unknown_target(fallback, targets))


def unknown_target(name: str, targets: Mapping[str, Any]) -> str:
    hint = did_you_mean(name, targets) or "; name one from notify"
    return f"no target is named{quoted(name)}{hint}"


def _literal_secrets(document: Mapping[str, Any]) -> Iterator[KeyPath]:
    targets = document.get("notify") or {}
    store = _at(document, ("store", "url"))
    if isinstance(store, str) and not isinstance(store, Substituted) and _WITH_PASSWORD.match(store):
        yield "store", "url"
    urls = [("notify", name, *(("url",) if isinstance(target, dict) else ())) for name, target in targets.items()]
    for at in (*_SECRETS, *urls):
        value = _at(document, at)
        if isinstance(value, str) and not isinstance(value, Substituted):
            yield at


def _too_many_watches(settings: Settings) -> Iterator[Misfit]:
    allowed = settings.api.max_rate
    needed = sum(1 / (watch.every or settings.poll.every).total_seconds() for watch in settings.watches)
    if not 0 < allowed < needed or settings.poll.sweep:
        return
    what = (
        f"{len(settings.watches):,} watches need {needed:.3g} requests per second while none has ended, and "
        f"api.max_rate allows {allowed:g}: polls will be late; raise poll.every, or max_rate if your quota allows it"
    )
    yield Misfit(("api", "max_rate"), what)


def _empty_groups(settings: Settings) -> Iterator[Misfit]:
    watches = (*settings.watches, *(rule.watch for rule in settings.discover))
    used = {watch.group for watch in watches if watch.group is not None}
    for group in settings.groups:
        if group.name not in used:
            hint = did_you_mean(group.name, used)
            yield Misfit(("groups", group.name), f"no watch and no rule names this group{hint}", key=True)


def _is_private(base_url: str) -> bool:
    """Whether the traffic stays private: the URL is https, or of this machine."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    try:
        return parts.scheme == "https" or host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_verified(place: Postgresql) -> bool:
    """Whether only the right server can answer: it has a verified certificate, or is on this machine."""
    options = dict(place.options)
    host = options.get("host") or place.host or ""
    local = host.startswith(("/", "127.")) or host.lower() == "localhost" or host == "::1"
    return local or not host or options.get("sslmode") == "verify-full"


def _at(document: Any, at: KeyPath) -> Any:
    """The value at a place, or None."""
    value = document
    for step in at:
        value = value.get(step) if isinstance(value, dict) else None
    return value
