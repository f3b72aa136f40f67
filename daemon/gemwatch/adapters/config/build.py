"""Converts the keys of a configuration into the core's settings."""

from dataclasses import replace
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

from gemwatch.adapters.config import web_values
from gemwatch.adapters.config.keys import Keys, TargetKeys, TokenKeys, WatchKeys, WebKeys
from gemwatch.core.events import Missed, Target, TargetFormat
from gemwatch.core.gate import Gate
from gemwatch.core.kinds import EventKind
from gemwatch.core.limits import Limits
from gemwatch.core.settings import (
    DEFAULT_TOKEN_COMMAND,
    ApiSettings,
    AzureCredential,
    AzureSource,
    HeartbeatSettings,
    LogSettings,
    PollSettings,
    Settings,
    StoreSettings,
    TokenSource,
    Watch,
    WebSettings,
)

_DATABASE = Path("gemwatch.db")


def settings(
    keys: Keys, folder: Path, watches: tuple[Watch, ...], variables: frozenset[str] = frozenset()
) -> Settings:
    """`folder` is the absolute folder of the configuration: relative paths start there.

    `variables` are the environment variables that the configuration refers to.
    """
    api: dict[str, Any] = {**keys["api"]}
    token = api.pop("token", None)
    source = _token_source(token, folder) if token else TokenSource(command=DEFAULT_TOKEN_COMMAND)
    api["token"] = replace(source, withheld=variables)
    store: dict[str, Any] = {**keys.get("store", {})}
    heartbeat = keys.get("heartbeat")
    return Settings(
        name=keys.get("name") or gethostname(),
        api=ApiSettings(**api),
        store=StoreSettings(path=folder / store.pop("url", _DATABASE), **store),
        poll=PollSettings(**keys.get("poll", {})),
        targets=tuple(_target(name, target) for name, target in keys.get("notify", {}).items()),
        watches=watches,
        limits=_or_none(Limits, keys.get("limits")),
        gate=_or_none(Gate, keys.get("gate")),
        heartbeat=HeartbeatSettings(**heartbeat) if heartbeat else None,
        web=_web(keys.get("web", {})),
        log=LogSettings(**keys.get("log", {})),
    )


def watch(keys: WatchKeys) -> Watch:
    return Watch(
        job_id=keys["job"],
        name=keys.get("name"),
        notify=tuple(keys["notify"]) if "notify" in keys else None,
        every=keys.get("every"),
        limits=_or_none(Limits, keys.get("limits")),
        gate=_or_none(Gate, keys.get("gate")),
    )


def _or_none(kind: Any, keys: Any) -> Any:
    return kind(**keys) if keys else None


def _token_source(keys: TokenKeys, folder: Path) -> TokenSource:
    if (azure := keys.get("azure")) is not None:
        named: dict[str, Any] = {**azure, "credential": AzureCredential(azure["credential"])}
        return TokenSource(azure=AzureSource(**named))
    if (file := keys.get("file")) is not None:
        return TokenSource(file=folder / file)
    return TokenSource(command=keys.get("command"), value=keys.get("value"))


def _web(keys: WebKeys) -> WebSettings:
    named: dict[str, Any] = {**keys}
    hosts = keys.get("hosts", [])
    if public := keys.get("public_url"):
        hosts = [*hosts, web_values.host_name(urlsplit(public).hostname)]
    named |= {"hosts": tuple(dict.fromkeys(hosts)), "proxies": tuple(keys.get("proxies", ()))}
    listening: WebSettings = named.pop("listen", WebSettings())
    return replace(listening, **named)


_KINDS: dict[str, Any] = {
    "on": lambda words: frozenset(map(EventKind, words)),
    "format": TargetFormat,
    "missed": Missed,
}


def _target(name: str, keys: TargetKeys) -> Target:
    named: dict[str, Any] = {key: _KINDS.get(key, lambda value: value)(value) for key, value in keys.items()}
    return Target(name=name, **named)
