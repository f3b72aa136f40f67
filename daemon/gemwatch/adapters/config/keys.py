"""The keys of a configuration and what each takes. Defaults live in the core's settings."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Required

from pydantic import BeforeValidator, ConfigDict, PlainValidator, ValidationInfo, WrapValidator, with_config
from typing_extensions import TypedDict  # pydantic cannot read typing's own before Python 3.12

from gemwatch.adapters.config import values
from gemwatch.adapters.config import web as config_web
from gemwatch.core.events import Missed, TargetFormat
from gemwatch.core.gate import Bar
from gemwatch.core.limits import Word
from gemwatch.core.settings import AzureCredential, WebSettings

_STRICT = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


def _target_url(value: Any, info: ValidationInfo) -> str:
    url = values.text(value)
    if problem := info.context(url):  # type: ignore[misc]  # the context is `url_problem`
        raise values.BadValue(problem)
    return url


_Duration = Annotated[timedelta, PlainValidator(values.duration)]
_Limit = Annotated[timedelta | Word, PlainValidator(values.limit)]
_TargetName = Annotated[str, PlainValidator(values.target_name)]
_NullIsEmptyMapping = BeforeValidator(lambda value: {} if value is None else value)
_NullIsNone = WrapValidator(lambda value, validate: None if value is None else validate(value))
_TextIsUrl = BeforeValidator(lambda value: {"url": value} if isinstance(value, str) else value)
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
    list_every: _Duration
    adaptive: Annotated[bool, PlainValidator(values.flag)]
    sweep: Annotated[bool, PlainValidator(values.sweep)]


@with_config(_STRICT)
class TargetKeys(TypedDict, total=False):
    url: Required[Annotated[str, PlainValidator(_target_url)]]
    on: Annotated[list[Annotated[str, PlainValidator(values.event)]], BeforeValidator(values.event_list)]
    format: Annotated[str, PlainValidator(values.one_of(*TargetFormat))]
    time_zone: Annotated[str, PlainValidator(values.time_zone)]
    fallback: Annotated[str, PlainValidator(values.text)]
    missed: Annotated[str, PlainValidator(values.one_of(*Missed))]


@with_config(_STRICT)
class LimitKeys(TypedDict, total=False):
    queued: _Limit
    running: _Limit
    min_running: _Limit


@with_config(_STRICT)
class GateKeys(TypedDict, total=False):
    matched_min: Annotated[Bar, PlainValidator(values.bar(1))]
    matched_drop_max: Annotated[Bar, PlainValidator(values.bar(1))]
    roads_change_max: Annotated[Bar, PlainValidator(values.bar(1000))]


@with_config(_STRICT)
class WatchKeys(TypedDict, total=False):
    job: Required[Annotated[int, PlainValidator(values.job_id)]]
    name: Annotated[str, PlainValidator(values.watch_name)]
    notify: list[Annotated[str, PlainValidator(values.text)]]
    every: _Duration
    limits: Annotated[LimitKeys, _NullIsEmptyMapping]
    gate: Annotated[GateKeys, _NullIsEmptyMapping]


@with_config(_STRICT)
class StoreKeys(TypedDict, total=False):
    url: Annotated[Path, PlainValidator(values.sqlite_path)]
    keep: _Duration


@with_config(_STRICT)
class WebKeys(TypedDict, total=False):
    listen: Annotated[WebSettings, PlainValidator(values.listen)]
    token: Annotated[str, PlainValidator(config_web.web_token)]
    metrics: Annotated[str, PlainValidator(values.one_of("open", "token"))]
    hosts: Annotated[list[Annotated[str, PlainValidator(config_web.host_name)]], _NullIsEmptyList]
    public_url: Annotated[str, PlainValidator(values.base_url)]
    proxies: Annotated[list[Annotated[config_web.Network, PlainValidator(config_web.network)]], _NullIsEmptyList]
    badge: Annotated[str, PlainValidator(values.one_of("login", "open"))]


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

    name: Annotated[str, PlainValidator(values.watch_name)]
    api: Required[Annotated[ApiKeys, _NullIsEmptyMapping]]
    poll: Annotated[PollKeys, _NullIsEmptyMapping]
    notify: Annotated[dict[_TargetName, Annotated[TargetKeys, _TextIsUrl]], _NullIsEmptyMapping]
    watch: Annotated[list[Any], _NullIsEmptyList]
    watch_files: Annotated[list[Annotated[str, PlainValidator(values.text)]], _NullIsEmptyList]
    limits: Annotated[LimitKeys, _NullIsEmptyMapping]
    gate: Annotated[GateKeys, _NullIsEmptyMapping]
    heartbeat: Annotated[HeartbeatKeys, _NullIsNone]
    store: Annotated[StoreKeys, _NullIsEmptyMapping]
    web: Annotated[WebKeys, _NullIsEmptyMapping]
    log: Annotated[LogKeys, _NullIsEmptyMapping]
