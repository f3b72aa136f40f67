"""The configuration's shape as JSON Schema, for editors: what they complete, explain and underline.

`config_schema.py` judges; this says the same in a language that other programs read, with the core's own words and
defaults. A test proves that both know the same keys and think alike of many values.
"""

import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

from gemwatch.core.events import Missed, TargetFormat
from gemwatch.core.gate import OFF
from gemwatch.core.job_id import MAX_JOB_ID
from gemwatch.core.kinds import DEFAULT_EVENTS, EventKind
from gemwatch.core.limits import Word
from gemwatch.core.settings import (
    DEFAULT_AZURE_SCOPE,
    DEFAULT_TOKEN_COMMAND,
    ApiSettings,
    AzureCredential,
    HeartbeatSettings,
    LogSettings,
    PollSettings,
    StoreSettings,
    WebSettings,
)

Schema = dict[str, Any]

_HTTP_URL: Schema = {"type": "string", "pattern": r"^https?://[^@?#\s]+$"}
_NAME: Schema = {"type": "string", "pattern": r"^[^\r\n]*\S[^\r\n]*$", "maxLength": 200}

_API, _POLL, _STORE = ApiSettings(key=""), PollSettings(), StoreSettings(path=Path("gemwatch.db"))
_WEB, _LOG, _HEARTBEAT = WebSettings(), LogSettings(), HeartbeatSettings(url="")
_VISIBLE = r"^[\x21-\x7e]+$"

# Shared shapes, each under its name in `$defs`.
_DEFS: Schema = {
    "reference": {
        "description": "${VAR}, ${VAR:-default} or ${file:PATH}; $$ is a dollar.",
        "type": "string",
        "pattern": r"\$\{",
    },
    "duration": {
        "description": "A whole number: 90 or 90s, 10m, 2h, 7d.",
        "anyOf": [
            {"type": "integer", "minimum": 1},
            {"type": "string", "pattern": r"^[1-9][0-9]{0,11}[smhd]?$"},
            {"$ref": "#/$defs/reference"},
        ],
    },
    "limit": {
        "description": "A duration; auto: from the history, once it has enough runs; off: none.",
        "anyOf": [{"enum": list(Word)}, {"$ref": "#/$defs/duration"}],
    },
    "bar": {
        "description": "A part of one, 0.8 for 80 %; off: none.",
        "anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"const": OFF}, {"$ref": "#/$defs/reference"}],
    },
    "jobId": {
        "description": "The id of a GEM job.",
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": MAX_JOB_ID},
            {"type": "string", "pattern": r"^[1-9][0-9]{0,18}$"},
            {"$ref": "#/$defs/reference"},
        ],
    },
    "event": {"enum": list(EventKind)},
    "secret": {"anyOf": [{"type": "string", "pattern": _VISIBLE}, {"$ref": "#/$defs/reference"}]},
    "text": {"type": "string", "minLength": 1},
}


def json_schema() -> Schema:
    """The whole document's schema, draft 2020-12."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "gemwatch's configuration",
        **_mapping(
            {
                "name": {
                    "description": "This instance, in messages and pages. Default: the host name. Needs a restart.",
                    **_NAME,
                },
                "api": _api(),
                "poll": _section(_poll(), "How often jobs are looked at. Live."),
                "notify": _notify(),
                "watch": _optional_list(_watch(), "The jobs: a bare id, or more about it. Live."),
                "watch_files": _optional_list(
                    _text("A path or a pattern (*, ?, [a-z]), from the configuration's folder."),
                    "Further lists; each file is a YAML list of the same entries. Live.",
                ),
                "limits": _section(_limits(), "How long a job may wait and run. Live."),
                "gate": _section(_gate(), "What a SUCCESS has to look like. Live."),
                "heartbeat": _heartbeat(),
                "store": _section(_store(), "The database. A change needs a restart."),
                "web": _section(_web(), "Health, metrics, API and pages. A change needs a restart."),
                "log": _section(_log(), "A change needs a restart."),
            },
            required=("api",),
        ),
        "$defs": _DEFS,
    }


def _api() -> Schema:
    keys = {
        "base_url": _or_reference(
            "Where the GEM API is: http or https, without user, query or fragment.",
            _HTTP_URL,
            default=_API.base_url,
        ),
        "key": _refers("secret", "The TomTom API key, best as ${TOMTOM_API_KEY}."),
        "token": {
            "description": "Where the bearer token comes from: exactly one of these.",
            **_mapping(_token(), nullable=True),
            "maxProperties": 1,
            "minProperties": 1,
        },
        "timeout": _duration("For a whole request, body included.", _API.timeout),
        "max_in_flight": _number("Requests at a time.", _API.max_in_flight, minimum=1, maximum=1000),
        "max_rate": _or_reference(
            "Requests a second over all jobs, 0.5 for one in two seconds; 0: no limit.",
            {"type": "number", "minimum": 0},
            default=_API.max_rate,
        ),
    }
    return {"description": "How the GEM API is asked. Live.", **_mapping(keys, required=("key",))}


def _token() -> Schema:
    return {
        "command": {
            "description": "A program that prints a token: one line, split as a shell would, or a list of words.",
            "anyOf": [
                {"type": "string", "minLength": 1},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
            ],
            "default": shlex.join(DEFAULT_TOKEN_COMMAND),
        },
        "file": _text("A file that holds the token; it is read again when it changes."),
        "value": _refers("secret", "The token itself, best as ${VAR}."),
        "azure": _azure(),
    }


def _azure() -> Schema:
    credential = {"enum": list(AzureCredential)}
    keys = {
        "credential": {"description": "Who logs in.", "anyOf": [credential, _ref("reference")]},
        "tenant_id": _refers("secret", "Else AZURE_TENANT_ID."),
        "client_id": _refers("secret", "Else AZURE_CLIENT_ID."),
        "client_secret": _text("Else AZURE_CLIENT_SECRET. Best as ${VAR}."),
        "scope": {**_refers("secret", "What the token is for."), "default": DEFAULT_AZURE_SCOPE},
    }
    return {
        "description": "A login by azure-identity: the credential alone, or more about it.",
        "anyOf": [credential, _ref("reference"), _mapping(keys, required=("credential",))],
    }


def _poll() -> Schema:
    return {
        "every": _duration("How often a job is looked at until it ends.", _POLL.every),
        "not_found_after": _number(
            "This many 404 in a row before not-found is told.", _POLL.not_found_after, minimum=1, maximum=1_000_000
        ),
        "alert_after": _duration("No good answer from the API for this long: api is told.", _POLL.alert_after),
        "list_every": _duration("How often the list of jobs is read for discovery.", _POLL.list_every),
        "adaptive": {
            "type": "boolean",
            "default": _POLL.adaptive,
            "description": "Look rarely while a job is far from its likely end, by the runs in the store.",
        },
        "sweep": {
            "enum": ["auto", "off"],
            "default": "off",
            "description": "Find out by one list of jobs which of many have changed.",
        },
    }


def _notify() -> Schema:
    kinds: Schema = {"items": {"anyOf": [_ref("event"), {"const": "all"}, _ref("reference")]}, "type": "array"}
    target = {
        "url": _text("An Apprise URL: one recipient or channel, best as ${VAR}. https://appriseit.com"),
        "on": {
            "description": "The events that go there: all, or a list.",
            "anyOf": [{"const": "all"}, kinds, _ref("reference")],
            "default": [kind for kind in EventKind if kind in DEFAULT_EVENTS],
        },
        "format": _or_reference(
            "In which form messages are sent; auto: the richest that the service shows.",
            {"enum": list(TargetFormat)},
            default=TargetFormat.AUTO,
        ),
        "time_zone": {
            **_text("An IANA name such as Europe/Amsterdam; times are also given in UTC."),
            "default": "UTC",
        },
        "fallback": _text("The target that receives what this one permanently refuses."),
        "missed": _or_reference(
            "What the target receives of that, once it accepts messages again.",
            {"enum": list(Missed)},
            default=Missed.SUMMARY,
        ),
    }
    return {
        "description": "Who is told: NAME: {url: ..., on: [...]}. Live.",
        "type": ["object", "null"],
        "propertyNames": {"pattern": r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"},
        "additionalProperties": {"anyOf": [_ref("text"), _mapping(target, required=("url",))]},
    }


def _watch() -> Schema:
    keys = {
        "job": _ref("jobId"),
        "name": {"description": "Stands in messages and tables.", **_NAME},
        "notify": {
            "description": "Only these targets hear of this job; []: nobody; left out: all.",
            "type": "array",
            "items": _ref("text"),
        },
        "every": {"description": "Instead of poll.every.", **_ref("duration")},
        "limits": _section(_limits(), "Instead of the general ones, key by key."),
        "gate": _section(_gate(), "Instead of the general one, key by key."),
    }
    return {"anyOf": [_ref("jobId"), _mapping(keys, required=("job",))]}


def _limits() -> Schema:
    return {
        "queued": _refers("limit", "Waiting for longer than this: queued-too-long is told."),
        "running": _refers("limit", "Running for longer than this: running-too-long is told."),
        "min_running": _refers("limit", "A SUCCESS that took less than this: finished-too-fast is told."),
    }


def _gate() -> Schema:
    return {
        "matched_min": _refers("bar", "The least share of roads that has to be matched."),
        "matched_drop_max": _refers("bar", "How far that share may lie below the last SUCCESS of the same input."),
        "roads_change_max": _or_reference(
            "How much the number of roads may differ from the last SUCCESS of the same input, as a part of it.",
            {"type": "number", "minimum": 0, "maximum": 1000},
            {"const": OFF},
        ),
    }


def _heartbeat() -> Schema:
    keys = {
        "url": _or_reference("What is called, best as ${VAR}.", {"type": "string", "pattern": r"^https?://[^#\s]+$"}),
        "every": _duration("How often.", _HEARTBEAT.every),
    }
    about = "A dead man's switch, which tells when gemwatch itself is gone: a URL that is called while all is well."
    return {"description": about, **_mapping(keys, required=("url",), nullable=True)}


def _store() -> Schema:
    return {
        "url": _or_reference(
            "The database file, from the configuration's folder; an absolute path has four slashes.",
            {"type": "string", "pattern": r"^sqlite:///[^?#]*[^?#/]$"},
            default="sqlite:///gemwatch.db",
        ),
        "keep": _duration("How long finished jobs that are no longer watched are kept.", _STORE.keep),
    }


def _web() -> Schema:
    token = {"type": "string", "pattern": r"^[\x21-\x7e]{16,}$"}
    name = {"type": "string", "pattern": r"^(\[?[0-9A-Fa-f:.]+\]?|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)$"}
    return {
        "listen": _listen(),
        "token": _or_reference("What who looks has to show; needed where listen is not on loopback.", token),
        "metrics": _or_reference(
            "Whether /metrics is open or asks for the token.", {"enum": ["open", "token"]}, default=_WEB.metrics
        ),
        "hosts": _optional_list({"anyOf": [name, _ref("reference")]}, "Names that people reach it by, without port."),
        "public_url": _or_reference(
            "Where people reach the pages, for links in messages: http or https; its host is one of hosts.",
            _HTTP_URL,
        ),
        "proxies": _optional_list(
            {"anyOf": [{"type": "string", "pattern": r"^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"}, _ref("reference")]},
            "Networks whose X-Forwarded-For header is believed, such as 10.0.0.0/8.",
        ),
        "badge": _or_reference(
            "Whether /badge.svg is open or asks for a login.", {"enum": ["login", "open"]}, default=_WEB.badge
        ),
    }


def _listen() -> Schema:
    return _or_reference(
        "HOST:PORT, [IPv6]:PORT (port 0: any free one), or off.",
        {"const": "off"},
        {"type": "string", "pattern": r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9._-]*):[0-9]{1,5}$"},
        default=f"{_WEB.host}:{_WEB.port}",
    )


def _log() -> Schema:
    levels, formats = ["debug", "info", "warning", "error"], ["auto", "console", "json"]
    return {
        "level": _or_reference("What is worth a line.", {"enum": levels}, default=_LOG.level),
        "format": _or_reference("auto: console on a terminal, else json.", {"enum": formats}, default=_LOG.format),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _refers(name: str, description: str) -> Schema:
    return {"description": description, **_ref(name)}


def _text(description: str) -> Schema:
    return _refers("text", description)


def _duration(description: str, default: timedelta) -> Schema:
    return {**_refers("duration", description), "default": _written(default)}


def _number(description: str, default: int, **bounds: int) -> Schema:
    return _or_reference(description, {"type": "integer", **bounds}, default=default)


def _or_reference(description: str, *shapes: Schema, default: object = None) -> Schema:
    """Any of these, or a string whose value is not known before the program reads it."""
    usual = {} if default is None else {"default": default}
    return {"description": description, "anyOf": [*shapes, _ref("reference")], **usual}


def _mapping(keys: Schema, *, required: tuple[str, ...] = (), nullable: bool = False) -> Schema:
    """These keys and no others."""
    kind: Any = ["object", "null"] if nullable else "object"
    needed = {"required": list(required)} if required else {}
    return {"type": kind, "properties": keys, **needed, "additionalProperties": False}


def _section(keys: Schema, description: str) -> Schema:
    """A section; written down without anything in it, it has its defaults."""
    return {"description": description, **_mapping(keys, nullable=True)}


def _optional_list(items: Schema, description: str) -> Schema:
    return {"description": description, "type": ["array", "null"], "items": items}


def _written(span: timedelta) -> str:
    """A duration as people write it: 365d, 10m, 60s."""
    seconds = int(span.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0 and seconds > size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
