"""The shape of a configuration: which keys there are and what each takes. Defaults live in the core's settings."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Required

from pydantic import (
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    with_config,
)
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict  # pydantic cannot read typing's own before Python 3.12

from gemwatch.adapters import config_values as values
from gemwatch.adapters.config_yaml import Place
from gemwatch.core.events import DEFAULT_EVENTS, EventKind, Target
from gemwatch.core.settings import (
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

_STRICT = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)
_DEFAULT_STORE = Path("gemwatch.db")


def _target_url(value: Any, info: ValidationInfo) -> str:
    url = values.text(value)
    if problem := info.context(url):  # type: ignore[misc]  # the context is `url_problem`
        raise values.BadValue(problem)
    return url


_Duration = Annotated[timedelta, PlainValidator(values.duration)]
_TargetName = Annotated[str, PlainValidator(values.target_name)]
_NullIsEmptyMapping = BeforeValidator(lambda value: {} if value is None else value)
_NullIsNone = WrapValidator(lambda value, validate: None if value is None else validate(value))
_NullIsEmptyList = BeforeValidator(lambda value: [] if value is None else value)


@with_config(_STRICT)
class AzureKeys(TypedDict, total=False):
    credential: Required[Annotated[str, PlainValidator(values.one_of(*AzureCredential))]]
    tenant_id: Annotated[str, PlainValidator(values.header_text)]
    client_id: Annotated[str, PlainValidator(values.header_text)]
    client_secret: Annotated[str, PlainValidator(values.text)]
    scope: Annotated[str, PlainValidator(values.header_text)]


@with_config(_STRICT)
class TokenKeys(TypedDict, total=False):
    command: Annotated[tuple[str, ...], PlainValidator(values.command)]
    file: Annotated[Path, PlainValidator(values.file_path)]
    value: Annotated[str, PlainValidator(values.header_text)]
    azure: Annotated[AzureKeys, BeforeValidator(values.azure)]


@with_config(_STRICT)
class ApiKeys(TypedDict, total=False):
    base_url: Annotated[str, PlainValidator(values.base_url)]
    key: Required[Annotated[str, PlainValidator(values.header_text)]]
    token: Annotated[TokenKeys, _NullIsEmptyMapping]
    timeout: _Duration
    max_in_flight: Annotated[int, PlainValidator(values.integer(1, 1000))]
    max_rate: Annotated[float, PlainValidator(values.rate)]


@with_config(_STRICT)
class PollKeys(TypedDict, total=False):
    every: _Duration
    not_found_after: Annotated[int, PlainValidator(values.integer(1, 1_000_000))]
    alert_after: _Duration


@with_config(_STRICT)
class TargetKeys(TypedDict, total=False):
    url: Required[Annotated[str, PlainValidator(_target_url)]]
    on: Annotated[list[Annotated[str, PlainValidator(values.event)]], BeforeValidator(values.event_list)]


@with_config(_STRICT)
class WatchKeys(TypedDict, total=False):
    job: Required[Annotated[int, PlainValidator(values.job_id)]]
    name: Annotated[str, PlainValidator(values.watch_name)]
    notify: list[Annotated[str, PlainValidator(values.text)]]
    every: _Duration


@with_config(_STRICT)
class StoreKeys(TypedDict, total=False):
    url: Annotated[Path, PlainValidator(values.sqlite_path)]
    keep: _Duration


@with_config(_STRICT)
class WebKeys(TypedDict, total=False):
    listen: Annotated[WebSettings, PlainValidator(values.listen)]


@with_config(_STRICT)
class HeartbeatKeys(TypedDict, total=False):
    url: Required[Annotated[str, PlainValidator(values.heartbeat_url)]]
    every: _Duration


@with_config(_STRICT)
class LogKeys(TypedDict, total=False):
    level: Annotated[str, PlainValidator(values.one_of("debug", "info", "warning", "error"))]
    format: Annotated[str, PlainValidator(values.one_of("auto", "console", "json"))]


@with_config(_STRICT)
class Keys(TypedDict, total=False):
    """The whole document. The entries of `watch` are read one by one, since a bad one spoils only itself."""

    api: Required[Annotated[ApiKeys, _NullIsEmptyMapping]]
    poll: Annotated[PollKeys, _NullIsEmptyMapping]
    notify: Annotated[dict[_TargetName, TargetKeys], _NullIsEmptyMapping]
    watch: Annotated[list[Any], _NullIsEmptyList]
    watch_files: Annotated[list[Annotated[str, PlainValidator(values.text)]], _NullIsEmptyList]
    heartbeat: Annotated[HeartbeatKeys, _NullIsNone]
    store: Annotated[StoreKeys, _NullIsEmptyMapping]
    web: Annotated[WebKeys, _NullIsEmptyMapping]
    log: Annotated[LogKeys, _NullIsEmptyMapping]


_SECTIONS: Mapping[str, type] = {
    "api": ApiKeys,
    "poll": PollKeys,
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
    misfits = list(_token_misfits(document))
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
        return None, _misfits(error, lambda _: WatchKeys.__annotations__)
    except values.BadValue as error:
        return None, [Misfit((), str(error))]
    notify = tuple(keys["notify"]) if "notify" in keys else None
    return Watch(job_id=keys["job"], name=keys.get("name"), notify=notify, every=keys.get("every")), []


def watched_id(entry: object) -> int | None:
    """The job id that an entry names, whatever else may be wrong with it."""
    try:
        return values.job_id(entry.get("job") if isinstance(entry, dict) else entry)
    except values.BadValue:
        return None


def settings(keys: Keys, folder: Path, watches: tuple[Watch, ...]) -> Settings:
    """The core's settings; `folder`, the configuration's own and absolute, is what relative paths start from."""
    api: dict[str, Any] = {**keys["api"]}
    if token := api.pop("token", None):
        api["token"] = _token_source(token, folder)
    store = keys.get("store", {})
    heartbeat = keys.get("heartbeat")
    kept = {"keep": store["keep"]} if "keep" in store else {}
    return Settings(
        api=ApiSettings(**api),
        store=StoreSettings(url=f"sqlite:///{folder / store.get('url', _DEFAULT_STORE)}", **kept),
        poll=PollSettings(**keys.get("poll", {})),
        targets=tuple(_target(name, target) for name, target in keys.get("notify", {}).items()),
        watches=watches,
        heartbeat=HeartbeatSettings(**heartbeat) if heartbeat else None,
        web=keys.get("web", {}).get("listen", WebSettings()),
        log=LogSettings(**keys.get("log", {})),
    )


def _token_source(keys: TokenKeys, folder: Path) -> TokenSource:
    if (azure := keys.get("azure")) is not None:
        named: dict[str, Any] = {**azure, "credential": AzureCredential(azure["credential"])}
        return TokenSource(azure=AzureSource(**named))
    if (file := keys.get("file")) is not None:
        return TokenSource(file=folder / file)
    return TokenSource(command=keys.get("command"), value=keys.get("value"))


def _target(name: str, keys: TargetKeys) -> Target:
    on = frozenset(map(EventKind, keys["on"])) if "on" in keys else DEFAULT_EVENTS
    return Target(name=name, url=keys["url"], on=on)


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
