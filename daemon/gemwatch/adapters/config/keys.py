"""The keys of a configuration, each declared once with its type and meaning.

The validation, the JSON Schema and the table of keys in the documentation come from these types. The defaults come
from the core's settings. The file is long because it is one table.
"""

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Required

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, with_config
from pydantic_core import CoreSchema, core_schema
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12

from gemwatch.adapters.config import section_values, values
from gemwatch.adapters.config.bad_value import BadValueError
from gemwatch.core.events import Missed, TargetFormat
from gemwatch.core.gate import OFF, Bar
from gemwatch.core.job_id import MAX_JOB_ID
from gemwatch.core.kinds import EventKind
from gemwatch.core.limits import LimitWord
from gemwatch.core.settings import DEFAULT_TOKEN_COMMAND, AzureCredential, Members, Place, WebSettings

Schema = dict[str, Any]

REFERENCE: Schema = {"type": "string", "pattern": r"\$\{"}  # an editor cannot know its value
_TEXT: Schema = {"type": "string", "minLength": 1}


@dataclass(frozen=True, slots=True)
class Takes:
    """How to read a value, and what an editor accepts for it."""

    read: Callable[[Any], Any]
    schema: Schema

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return dict(self.schema)


@dataclass(frozen=True, slots=True)
class OrElse:
    """A key also accepts `schema`, which `read` converts to the key's type. None: not shown to editors."""

    read: Callable[[Any], Any]
    schema: Schema | None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return handler(schema) if self.schema is None else {"anyOf": [handler(schema), self.schema]}


@dataclass(frozen=True, slots=True)
class _TargetUrl:
    """Only the notify adapter knows Apprise, so its check is passed as the validation context."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def read(value: Any, info: core_schema.ValidationInfo) -> str:
            url = values.own_text(value)
            if info.context and (problem := info.context(url)):
                raise BadValueError(problem)
            return url

        return core_schema.with_info_plain_validator_function(read)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return dict(_TEXT)


def _or_reference(*shapes: Schema) -> Schema:
    return {"anyOf": [*shapes, REFERENCE]}


def _pattern(pattern: str) -> Schema:
    return {"type": "string", "pattern": pattern}


def _integer(low: int, high: int) -> Takes:
    return Takes(values.integer(low, high), _or_reference({"type": "integer", "minimum": low, "maximum": high}))


def _share(most: float) -> Takes:
    number = {"type": "number", "minimum": 0, "maximum": most}
    return Takes(values.share(most), _or_reference(number, {"const": OFF}))


def _one_of(*words: str) -> Takes:
    return Takes(values.one_of(*words), _or_reference({"enum": list(words)}))


def _choice(words: type[StrEnum]) -> Takes:
    return Takes(values.choice(words), _or_reference({"enum": list(words)}))


def _about(description: str, *, default: str | None = None) -> Any:
    """What a key means. `default`: the form that users write, if the core stores another one."""
    return Field(description=description, json_schema_extra=None if default is None else {"default": default})


def _config(**schema: Any) -> ConfigDict:
    return ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True, json_schema_extra=schema)


_DURATIONS = ({"type": "integer", "minimum": 1}, _pattern(r"^[1-9][0-9]{0,11}[smhd]?$"))
_DURATION = Takes(values.duration, _or_reference(*_DURATIONS))
_LIMIT = Takes(values.limit, _or_reference({"enum": list(LimitWord)}, *_DURATIONS))
_JOB_ID = Takes(
    values.job_id,
    _or_reference({"type": "integer", "minimum": 1, "maximum": MAX_JOB_ID}, _pattern(r"^[1-9][0-9]{0,18}$")),
)
_HEADER_TEXT = Takes(values.header_text, _or_reference(_pattern(r"^[\x21-\x7e]+$")))
_SECRET = Takes(values.secret, _HEADER_TEXT.schema)
_WEB_TOKEN = Takes(section_values.web_token, _or_reference(_pattern(r"^[\x21-\x7e]{16,}$")))
_PLAIN_TEXT = Takes(values.text, _TEXT)
_SHELL_PATTERN = Takes(section_values.shell_pattern, _TEXT)
_NAME = Takes(values.single_line, {**_pattern(r"^[^\r\n]*\S[^\r\n]*$"), "maxLength": 200})
_HTTP_URL = Takes(values.http_url, _or_reference(_pattern(r"^https?://[^@?#\s]+$")))
_CALLED_URL = Takes(values.heartbeat_url, _or_reference(_pattern(r"^https?://[^#\s]+$")))
_COMMAND = Takes(values.command, {"anyOf": [_TEXT, {"type": "array", "items": {"type": "string"}, "minItems": 1}]})
_CREDENTIAL = _choice(AzureCredential)
_EVENT = Takes(values.event, _or_reference({"enum": [*EventKind, "all"]}))
_EVENT_LIST = OrElse(values.event_list, _or_reference({"const": "all"}))
_DATABASE = Takes(
    section_values.store_place,
    _or_reference(
        _pattern(r"^sqlite:///(?!.*(:memory:|\?\w+=[^/]*)$).*[^/]$"),
        _pattern(r"^postgresql\+psycopg://[^/?#]*/[^/?#]+(\?[^#]*)?$"),
    ),
)
_ADDRESS = _pattern(r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):[0-9]{1,5}$")
_LISTEN = Takes(section_values.listen, _or_reference({"const": "off"}, _ADDRESS))
_HOST = Takes(
    section_values.host_name,
    _or_reference(_pattern(r"^(\[?[0-9A-Fa-f:.]+\]?|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)$")),
)
_NETWORK = Takes(section_values.network, _or_reference(_pattern(r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$")))
_OR_NOTHING = OrElse(lambda value: {} if value is None else value, {"type": "null"})
_OR_NONE = OrElse(lambda value: [] if value is None else value, {"type": "null"})


@with_config(_config())
class AzureKeys(TypedDict, total=False):
    credential: Required[Annotated[AzureCredential, _CREDENTIAL, _about("The kind of credential that logs in.")]]
    tenant_id: Annotated[str, _HEADER_TEXT, _about("By default from AZURE_TENANT_ID.")]
    client_id: Annotated[str, _HEADER_TEXT, _about("By default from AZURE_CLIENT_ID.")]
    client_secret: Annotated[
        str, Takes(values.own_text, _TEXT), _about("By default from AZURE_CLIENT_SECRET. Best as ${VAR}.")
    ]
    scope: Annotated[str, _HEADER_TEXT, _about("What the token is for.")]


@with_config(_config(minProperties=1, maxProperties=1))
class TokenKeys(TypedDict, total=False):
    command: Annotated[
        tuple[str, ...],
        _COMMAND,
        _about(
            "A program that prints a token: one line, split as a shell would (no shell runs it), or a list of words.",
            default=shlex.join(DEFAULT_TOKEN_COMMAND),
        ),
    ]
    file: Annotated[
        Path,
        Takes(values.file_path, _TEXT),
        _about("A file that holds the token. It is read again when a token is needed."),
    ]
    value: Annotated[str, _SECRET, _about("The token itself, best as ${VAR}.")]
    azure: Annotated[
        AzureKeys,
        OrElse(values.azure, _CREDENTIAL.schema),
        _about("A login without the Azure CLI: the name of a credential, or a mapping."),
    ]


@with_config(_config())
class ApiKeys(TypedDict, total=False):
    base_url: Annotated[str, _HTTP_URL, _about("Where the GEM API is: http or https, no user, query or fragment.")]
    key: Required[Annotated[str, _SECRET, _about("The TomTom API key, best as ${TOMTOM_API_KEY}.")]]
    token: Annotated[TokenKeys, _OR_NOTHING, _about("Where the bearer token comes from: exactly one of its keys.")]
    timeout: Annotated[timedelta, _DURATION, _about("For a whole request, body included.")]
    max_in_flight: Annotated[int, _integer(1, 1000), _about("Requests at a time, from 1 to 1000.")]
    max_rate: Annotated[
        float,
        Takes(values.rate, _or_reference({"type": "number", "minimum": 0})),
        _about("Requests per second over all jobs and replicas: 0.5 for one in two seconds, 0 for no limit."),
    ]


@with_config(_config())
class PollKeys(TypedDict, total=False):
    every: Annotated[timedelta, _DURATION, _about("How often a job is polled until it ends.")]
    not_found_after: Annotated[
        int, _integer(1, 1_000_000), _about("After this many 404 answers in a row, not-found is sent.")
    ]
    alert_after: Annotated[
        timedelta, _DURATION, _about("After this long without a good answer from the API, api is sent.")
    ]
    list_every: Annotated[timedelta, _DURATION, _about("How often the lists of jobs are read for discover.")]
    adaptive: Annotated[
        bool,
        Takes(values.flag, {"type": "boolean"}),
        _about("true: poll rarely while a job is far from its expected end. See polling.md."),
    ]
    sweep: Annotated[
        bool,
        Takes(values.sweep, {"enum": ["auto", "off"]}),
        _about("auto: read lists of jobs to find the ones that changed. See polling.md.", default="off"),
    ]


@with_config(_config())
class TargetKeys(TypedDict, total=False):
    url: Required[Annotated[str, _TargetUrl(), _about("An Apprise URL: one recipient or channel, best as ${VAR}.")]]
    on: Annotated[
        list[Annotated[EventKind, _EVENT]], _EVENT_LIST, _about("The events that go there: all, or a list of events.")
    ]
    format: Annotated[
        TargetFormat, _choice(TargetFormat), _about("The form of messages. auto: the richest that the service shows.")
    ]
    time_zone: Annotated[
        str,
        Takes(values.time_zone, _TEXT),
        _about("An IANA name such as Europe/Amsterdam. Times are given in UTC too."),
    ]
    fallback: Annotated[str, _PLAIN_TEXT, _about("The target that receives the messages while this one is down.")]
    missed: Annotated[
        Missed, _choice(Missed), _about("What this target receives of those messages when it is up again.")
    ]


@with_config(_config())
class LimitKeys(TypedDict, total=False):
    queued: Annotated[timedelta | LimitWord, _LIMIT, _about("Waiting for longer than this: queued-too-long is sent.")]
    running: Annotated[
        timedelta | LimitWord, _LIMIT, _about("Running for longer than this: running-too-long is sent.")
    ]
    min_running: Annotated[
        timedelta | LimitWord, _LIMIT, _about("SUCCESS in less time than this: finished-too-fast is sent.")
    ]


@with_config(_config())
class GateKeys(TypedDict, total=False):
    matched_min: Annotated[Bar, _share(1), _about("The least share of roads that must be matched: 0.8 for 80 %.")]
    matched_drop_max: Annotated[
        Bar, _share(1), _about("How far that share may be below the previous run on the same input.")
    ]
    roads_change_max: Annotated[
        Bar, _share(1000), _about("How much the number of roads may differ from that run, as a share of it.")
    ]


@with_config(_config())
class WatchKeys(TypedDict, total=False):
    job: Required[Annotated[int, _JOB_ID, _about("The id of the GEM job.")]]
    name: Annotated[str, _NAME, _about("What the job is called in messages and tables.")]
    notify: Annotated[
        list[Annotated[str, _PLAIN_TEXT]],
        _about("The targets that receive messages about the job. []: none. By default all."),
    ]
    every: Annotated[timedelta, _DURATION, _about("Instead of poll.every. In a watch file 30s at least.")]
    limits: Annotated[LimitKeys, _OR_NOTHING, _about("Instead of the general limits, key by key.")]
    gate: Annotated[GateKeys, _OR_NOTHING, _about("Instead of the general gate, key by key.")]
    group: Annotated[str, _NAME, _about("The group that the job belongs to. See groups.md.")]


@with_config(_config())
class RuleKeys(TypedDict, total=False):
    job_type: Annotated[str, _SHELL_PATTERN, _about("A pattern for the job type, with *, ? and [a-z].")]
    storage: Annotated[str, _SHELL_PATTERN, _about("A pattern for the storage id.")]
    input: Annotated[str, _SHELL_PATTERN, _about("A pattern for the name of the input file.")]
    release: Annotated[str, _SHELL_PATTERN, _about("A pattern for the Overture release or Orbis version.")]
    requested_within: Annotated[timedelta, _DURATION, _about("Only jobs that were requested this recently.")]
    max: Annotated[int, _integer(1, 100_000), _about("How many unfinished jobs the rule may watch.")]
    name: Annotated[
        str,
        Takes(section_values.name_template, _NAME.schema),
        _about("What the jobs are called, with {input}, {storage}, {release} and {job_id}."),
    ]
    notify: Annotated[list[Annotated[str, _PLAIN_TEXT]], _about("As for a watch.")]
    every: Annotated[timedelta, _DURATION, _about("As for a watch.")]
    limits: Annotated[LimitKeys, _OR_NOTHING, _about("As for a watch.")]
    gate: Annotated[GateKeys, _OR_NOTHING, _about("As for a watch.")]
    group: Annotated[str, _NAME, _about("As for a watch.")]


@with_config(_config())
class GroupKeys(TypedDict, total=False):
    expect: Annotated[int, _integer(1, 100_000), _about("How many jobs have to end before the group is done.")]
    settle: Annotated[
        timedelta,
        _DURATION,
        _about("Without expect: the group is done when no job was added for this long. 10m if a rule adds them."),
    ]
    members: Annotated[
        Members, _choice(Members), _about("quiet: no success of a single job where group-done is sent.")
    ]


@with_config(_config())
class HeartbeatKeys(TypedDict, total=False):
    url: Required[Annotated[str, _CALLED_URL, _about("The URL to call, best as ${VAR}.")]]
    every: Annotated[timedelta, _DURATION, _about("How often gemwatch calls it.")]


@with_config(_config())
class StoreKeys(TypedDict, total=False):
    url: Annotated[
        Place,
        _DATABASE,
        _about(
            "The database file, from the configuration's folder; an absolute path has four slashes. Or a PostgreSQL "
            "database: postgresql+psycopg://USER@HOST/DATABASE?sslmode=verify-full.",
            default="sqlite:///gemwatch.db",
        ),
    ]
    keep: Annotated[
        timedelta,
        _DURATION,
        _about("How long finished jobs that are no longer watched are kept, with their history."),
    ]


@with_config(_config())
class WebKeys(TypedDict, total=False):
    listen: Annotated[
        WebSettings,
        _LISTEN,
        _about(
            "HOST:PORT, [IPv6]:PORT (port 0: any free one), or off. Where other machines reach it, set web.token.",
            default=f"{WebSettings().host}:{WebSettings().port}",
        ),
    ]
    token: Annotated[
        str, _WEB_TOKEN, _about("The token for pages and API, at least 16 characters: openssl rand -hex 24.")
    ]
    metrics: Annotated[str, _one_of("open", "token"), _about("token: /metrics needs the token too.")]
    hosts: Annotated[
        list[Annotated[str, _HOST]],
        _OR_NONE,
        _about("More names that people use for it, without port, such as a reverse proxy's."),
    ]
    public_url: Annotated[
        str, _HTTP_URL, _about("Where people reach the pages, for links in messages. Its host is one of web.hosts.")
    ]
    proxies: Annotated[
        list[Annotated[section_values.Network, _NETWORK]],
        _OR_NONE,
        _about("Networks whose X-Forwarded-For header is trusted, such as 10.0.0.0/8."),
    ]
    badge: Annotated[str, _one_of("login", "open"), _about("open: /badge.svg needs no token.")]


@with_config(_config())
class LogKeys(TypedDict, total=False):
    level: Annotated[
        str, _one_of("debug", "info", "warning", "error"), _about("The least severe lines that are written.")
    ]
    format: Annotated[
        str,
        _one_of("auto", "console", "json"),
        _about("auto: console on a terminal and in the systemd journal, else json."),
    ]


@dataclass(frozen=True, slots=True)
class _Entry:
    """A watch or a rule. Each is validated separately, so that a bad one does not affect the others.

    `shorter`: what an editor accepts in place of a mapping.
    """

    keys: type
    shorter: tuple[Schema, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(lambda value, _: value, handler.generate_schema(self.keys))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return {"anyOf": [*map(dict, self.shorter), handler(schema)]} if self.shorter else handler(schema)


@with_config(_config())
class Keys(TypedDict, total=False):
    name: Annotated[
        str, _NAME, _about("This instance, in messages and pages. By default the host name. Needs a restart.")
    ]
    api: Required[Annotated[ApiKeys, OrElse(_OR_NOTHING.read, None), _about("How gemwatch calls the GEM API.")]]
    poll: Annotated[PollKeys, _OR_NOTHING, _about("How often jobs are polled.")]
    notify: Annotated[
        dict[
            Annotated[str, Takes(values.target_name, {"type": "string"})],
            Annotated[TargetKeys, OrElse(values.target, _TEXT)],
        ],
        _OR_NOTHING,
        _about("The targets, each under its name. NAME: URL is short for NAME: {url: URL}."),
    ]
    watch: Annotated[
        list[Annotated[Any, _Entry(WatchKeys, (_JOB_ID.schema,))]],
        _OR_NONE,
        _about("The jobs to watch: an id, or a mapping."),
    ]
    watch_files: Annotated[
        list[Annotated[str, _PLAIN_TEXT]],
        _OR_NONE,
        _about("Paths and patterns (*, ?, [a-z]) of more lists, from the configuration's folder."),
    ]
    discover: Annotated[
        list[Annotated[Any, _Entry(RuleKeys)]],
        _OR_NONE,
        _about("Rules that find jobs to watch, each with at least one pattern. See discovery.md."),
    ]
    groups: Annotated[
        dict[Annotated[str, Takes(values.single_line, {"type": "string"})], Annotated[GroupKeys, _OR_NOTHING]],
        _OR_NOTHING,
        _about("Settings of groups, each under the name that watches and rules give."),
    ]
    limits: Annotated[LimitKeys, _OR_NOTHING, _about("How long a job may wait and run. See limits.md.")]
    gate: Annotated[GateKeys, _OR_NOTHING, _about("What a SUCCESS must look like. See quality.md.")]
    heartbeat: Annotated[
        HeartbeatKeys | None,
        _about("A URL that gemwatch calls while it works, so that a monitor notices when it stops."),
    ]
    store: Annotated[StoreKeys, _OR_NOTHING, _about("The database. Needs a restart.")]
    web: Annotated[WebKeys, _OR_NOTHING, _about("Pages, API, health and metrics. Needs a restart.")]
    log: Annotated[LogKeys, _OR_NOTHING, _about("What is logged. Needs a restart.")]
