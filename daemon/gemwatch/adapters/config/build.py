"""Converts the keys of a configuration into the core's settings: each key becomes the field of its name.

The keys whose settings have another name or form are handled here, all others by their declaration alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cache
from pathlib import Path
from socket import gethostname
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from gemwatch.adapters.config import section_values
from gemwatch.adapters.config.keys import Keys, RuleKeys, TokenKeys, WatchKeys, WebKeys
from gemwatch.core.events import Target
from gemwatch.core.settings import (
    DEFAULT_TOKEN_COMMAND,
    ApiSettings,
    GroupSettings,
    Rule,
    Settings,
    StoreSettings,
    TokenSource,
    Watch,
    WebSettings,
)

_DATABASE = Path("gemwatch.db")
_LISTS = ("notify", "watch", "watch_files", "discover", "groups")  # `targets`, `watches`, `discover` and `groups`
_OF_RULES = frozenset(
    {"job_type", "storage", "input", "release", "requested_within", "max"}
)  # the rest is as for a watch

T = TypeVar("T")


def settings(
    keys: Keys,
    folder: Path,
    watches: tuple[Watch, ...],
    variables: frozenset[str] = frozenset(),
    discover: tuple[Rule, ...] = (),
) -> Settings:
    """`folder` is the absolute folder of the configuration: relative paths start there.

    `variables` are the environment variables that the configuration refers to.
    """
    store: dict[str, Any] = {**keys.get("store", {})}
    place = store.pop("url", _DATABASE)
    return _built(
        Settings,
        {key: value for key, value in keys.items() if key not in _LISTS},
        name=keys.get("name") or gethostname(),
        api=_built(ApiSettings, keys["api"], token=_token_source(keys["api"].get("token"), folder, variables)),
        store=_built(StoreSettings, store, place=folder / place if isinstance(place, Path) else place),
        targets=tuple(_built(Target, target, name=name) for name, target in keys.get("notify", {}).items()),
        watches=watches,
        discover=discover,
        groups=tuple(_built(GroupSettings, group, name=name) for name, group in keys.get("groups", {}).items()),
        web=_web(keys.get("web", {})),
    )


def watch(keys: WatchKeys) -> Watch:
    named: dict[str, Any] = {**keys}
    return _built(Watch, named, job_id=named.pop("job"))


def rule(keys: RuleKeys) -> Rule:
    own = {key: value for key, value in keys.items() if key in _OF_RULES}
    rest = {key: value for key, value in keys.items() if key not in _OF_RULES}
    return _built(Rule, own, watch=_built(Watch, rest, job_id=0))


def _token_source(keys: TokenKeys | None, folder: Path, variables: frozenset[str]) -> TokenSource:
    if not keys:
        return TokenSource(command=DEFAULT_TOKEN_COMMAND, withheld=variables)
    file = {"file": folder / keys["file"]} if "file" in keys else {}
    return _built(TokenSource, keys, withheld=variables, **file)


def _web(keys: WebKeys) -> WebSettings:
    named: dict[str, Any] = {**keys}
    listening: WebSettings = named.pop("listen", WebSettings())
    hosts = keys.get("hosts", [])
    if public := keys.get("public_url"):
        hosts = [*hosts, section_values.host_name(urlsplit(public).hostname)]
    return _built(WebSettings, named, host=listening.host, port=listening.port, hosts=tuple(dict.fromkeys(hosts)))


def _built(kind: Callable[..., T], keys: Mapping[str, Any], **others: Any) -> T:
    """A dataclass with the values of these keys and of the other fields."""
    types = _types(kind)
    return kind(**others, **{key: _converted(value, types[key]) for key, value in keys.items() if key not in others})


def _converted(value: Any, hint: Any) -> Any:
    """A mapping becomes the dataclass of its field, or None if it is empty and may be; a list its collection."""
    parts: tuple[Any, ...] = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if isinstance(value, dict):
        kind: Any = next(part for part in parts if is_dataclass(part))
        return _built(kind, value) if value or type(None) not in parts else None
    if isinstance(value, list):
        collection = next(part for part in parts if get_origin(part))
        return get_origin(collection)(value)
    return value


@cache
def _types(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
