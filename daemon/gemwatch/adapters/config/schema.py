"""Whether a configuration has the right shape, what is wrong where it has not, and the settings that it says."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from socket import gethostname
from typing import Any
from urllib.parse import urlsplit

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gemwatch.adapters.config import values
from gemwatch.adapters.config import web as config_web
from gemwatch.adapters.config.keys import (
    ApiKeys,
    AzureKeys,
    GateKeys,
    HeartbeatKeys,
    Keys,
    LimitKeys,
    LogKeys,
    PollKeys,
    StoreKeys,
    TargetKeys,
    TokenKeys,
    WatchKeys,
    WebKeys,
)
from gemwatch.adapters.config.strict_yaml import Place
from gemwatch.core.events import Missed, Target, TargetFormat
from gemwatch.core.gate import Gate
from gemwatch.core.kinds import DEFAULT_EVENTS, EventKind
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

_DEFAULT_STORE = Path("gemwatch.db")
_SECTIONS: Mapping[str, type] = {
    "api": ApiKeys,
    "poll": PollKeys,
    "limits": LimitKeys,
    "gate": GateKeys,
    "heartbeat": HeartbeatKeys,
    "store": StoreKeys,
    "web": WebKeys,
    "log": LogKeys,
}
_NOT_FOR: Mapping[str, frozenset[str]] = {  # settings that a credential would not look at
    AzureCredential.CLI: frozenset({"client_id", "client_secret"}),
    AzureCredential.MANAGED_IDENTITY: frozenset({"tenant_id", "client_secret"}),
    AzureCredential.DEFAULT: frozenset({"tenant_id", "client_id", "client_secret"}),
}
_DOCUMENT = TypeAdapter(Keys)
_WATCH = TypeAdapter(WatchKeys)


@dataclass(frozen=True, slots=True)
class Misfit:
    """What is wrong with the value at a place; with `key`, what is wrong is the key itself."""

    at: Place
    what: str
    key: bool = False


def check(document: Mapping[str, Any], url_problem: Callable[[str], str | None]) -> tuple[Keys | None, list[Misfit]]:
    """The document's keys, or None, and everything that is wrong with them; the watch list's entries are not read."""
    misfits = [*_token_misfits(document), *_web_misfits(document), *_fallback_misfits(document)]
    keys = None
    try:
        keys = _DOCUMENT.validate_python({"api": None, **document}, context=url_problem)
    except ValidationError as error:
        misfits.extend(_misfits(error, _keys_of_section))
    return (None if misfits else keys), misfits


def check_watch(entry: object) -> tuple[Watch | None, list[Misfit]]:
    """One entry of a watch list: a job id, or a mapping."""
    try:
        if isinstance(entry, dict):
            keys = _WATCH.validate_python(entry)
        elif entry is None or isinstance(entry, list):
            return None, [
                Misfit((), f"{values.shown(entry)} is not a watch; write a job id or {{job: ID, name: NAME}}")
            ]
        else:
            return Watch(job_id=values.job_id(entry)), []
    except ValidationError as error:
        return None, _misfits(error, _keys_of_watch)
    except values.BadValue as error:
        return None, [Misfit((), str(error))]
    notify = tuple(keys["notify"]) if "notify" in keys else None
    watch = Watch(
        job_id=keys["job"],
        name=keys.get("name"),
        notify=notify,
        every=keys.get("every"),
        limits=_limits(keys.get("limits")),
        gate=_gate(keys.get("gate")),
    )
    return watch, []


def watched_id(entry: object) -> int | None:
    """The job id that an entry names, whatever else may be wrong with it."""
    try:
        return values.job_id(entry.get("job") if isinstance(entry, dict) else entry)
    except values.BadValue:
        return None


def settings(
    keys: Keys, folder: Path, watches: tuple[Watch, ...], variables: frozenset[str] = frozenset()
) -> Settings:
    """The core's settings; `folder`, the configuration's own and absolute, is what relative paths start from.

    `variables` are those that the configuration refers to.
    """
    api: dict[str, Any] = {**keys["api"]}
    token = api.pop("token", None)
    source = _token_source(token, folder) if token else TokenSource(command=DEFAULT_TOKEN_COMMAND)
    api["token"] = replace(source, withheld=variables)
    store = keys.get("store", {})
    heartbeat = keys.get("heartbeat")
    kept = {"keep": store["keep"]} if "keep" in store else {}
    return Settings(
        api=ApiSettings(**api),
        name=keys.get("name") or gethostname(),
        store=StoreSettings(path=folder / store.get("url", _DEFAULT_STORE), **kept),
        poll=PollSettings(**keys.get("poll", {})),
        targets=tuple(_target(name, target) for name, target in keys.get("notify", {}).items()),
        watches=watches,
        limits=_limits(keys.get("limits")),
        gate=_gate(keys.get("gate")),
        heartbeat=HeartbeatSettings(**heartbeat) if heartbeat else None,
        web=_web(keys.get("web", {})),
        log=LogSettings(**keys.get("log", {})),
    )


def _limits(keys: LimitKeys | None) -> Limits | None:
    return Limits(**keys) if keys else None


def _gate(keys: GateKeys | None) -> Gate | None:
    return Gate(**keys) if keys else None


def _token_source(keys: TokenKeys, folder: Path) -> TokenSource:
    if (azure := keys.get("azure")) is not None:
        named: dict[str, Any] = {**azure, "credential": AzureCredential(azure["credential"])}
        return TokenSource(azure=AzureSource(**named))
    if (file := keys.get("file")) is not None:
        return TokenSource(file=folder / file)
    return TokenSource(command=keys.get("command"), value=keys.get("value"))


def _web(keys: WebKeys) -> WebSettings:
    hosts = keys.get("hosts", [])
    if public := keys.get("public_url"):
        hosts = [*hosts, config_web.host_name(urlsplit(public).hostname)]
    named: dict[str, Any] = {**keys, "hosts": tuple(dict.fromkeys(hosts)), "proxies": tuple(keys.get("proxies", ()))}
    listening: WebSettings = named.pop("listen", WebSettings())
    return replace(listening, **named)


def _target(name: str, keys: TargetKeys) -> Target:
    on = frozenset(map(EventKind, keys["on"])) if "on" in keys else DEFAULT_EVENTS
    return Target(
        name=name,
        url=keys["url"],
        on=on,
        format=TargetFormat(keys.get("format", TargetFormat.AUTO)),
        time_zone=keys.get("time_zone", "UTC"),
        fallback=keys.get("fallback"),
        missed=Missed(keys.get("missed", Missed.SUMMARY)),
    )


def _token_misfits(document: Mapping[str, Any]) -> Iterator[Misfit]:
    # Here and not in a validator of pydantic's, which would keep silent about it once a single key is wrong.
    api = document.get("api")
    token = api.get("token") if isinstance(api, dict) else None
    if isinstance(token, dict) and len(token.keys() & TokenKeys.__annotations__.keys()) != 1:
        yield Misfit(("api", "token"), f"give exactly one of {', '.join(TokenKeys.__annotations__)}")
    azure = token.get("azure") if isinstance(token, dict) else None
    if isinstance(azure, dict) and azure.get("credential") in _NOT_FOR:
        for key in azure.keys() & _NOT_FOR[azure["credential"]]:
            what = f"has no meaning for {azure['credential']}; take it out"
            yield Misfit(("api", "token", "azure", key), what, key=True)


def _fallback_misfits(document: Mapping[str, Any]) -> Iterator[Misfit]:
    targets = document.get("notify")
    if not isinstance(targets, dict):
        return
    for name, target in targets.items():
        fallback = target.get("fallback") if isinstance(target, dict) else None
        if not isinstance(fallback, str) or not fallback:
            continue
        at = ("notify", name, "fallback")
        if fallback == name:
            yield Misfit(at, "is this target itself; name another one")
        elif fallback not in targets:
            hint = values.did_you_mean(fallback, targets) or "; name one from notify"
            yield Misfit(at, f"no target is named{values.quoted(fallback)}{hint}")


def _web_misfits(document: Mapping[str, Any]) -> Iterator[Misfit]:
    web = document.get("web")
    if isinstance(web, dict) and "token" not in web and config_web.reachable(web.get("listen")):
        yield Misfit(
            ("web", "listen"),
            "can be reached from other machines, so web.token is needed: make one with openssl rand -hex 24 and "
            "refer to it with ${VAR} or ${file:PATH}; or listen on 127.0.0.1",
        )


def _misfits(error: ValidationError, known: Callable[[Place], Iterable[str]]) -> list[Misfit]:
    return [_misfit(detail, known) for detail in error.errors(include_url=False, include_input=False)]


def _misfit(detail: ErrorDetails, known: Callable[[Place], Iterable[str]]) -> Misfit:
    at = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            word, around = str(at[-1]), known(at[:-1])
            hint = values.did_you_mean(word, around) or f"; known are {', '.join(around)}"
            return Misfit(at, f"unknown key{values.quoted(word)}{hint}", key=True)
        case "missing":
            return Misfit(at[:-1], f'the key "{at[-1]}" is missing')
        case "dict_type":
            return Misfit(at, "must be a mapping, KEY: VALUE")
        case "list_type":
            return Misfit(at, "must be a list")
        case _ if at[-1:] == ("[key]",):
            return Misfit(at[:-1], str(detail["ctx"]["error"]), key=True)
        case _:
            return Misfit(at, str(detail["ctx"]["error"]))


def _keys_of_watch(at: Place) -> Iterable[str]:
    return (_SECTIONS[str(at[0])] if at else WatchKeys).__annotations__


def _keys_of_section(at: Place) -> Iterable[str]:
    match at:
        case ():
            return Keys.__annotations__
        case ("api", "token"):
            return TokenKeys.__annotations__
        case ("api", "token", "azure"):
            return AzureKeys.__annotations__
        case ("notify", _):
            return TargetKeys.__annotations__
        case _:
            return _SECTIONS[str(at[0])].__annotations__
