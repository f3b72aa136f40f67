"""The API described in OpenAPI 3.1, made from the words that the program itself uses."""

from typing import Any

from gemwatch import __version__
from gemwatch.adapters.store.json_shapes import CONFIG_STATES, UNSEEN
from gemwatch.adapters.store.view_queries import JOB_ORDERS
from gemwatch.adapters.store.views import DEFAULT_LIMIT, MOST
from gemwatch.core.health import ApiState, Login
from gemwatch.core.job_id import MAX_JOB_ID
from gemwatch.core.kinds import EventKind
from gemwatch.core.work import DeliveryState
from gemwatch.web.http.parameters import FARTHEST, LONGEST

Node = dict[str, Any]

_TEXT: Node = {"type": "string"}
_COUNT: Node = {"type": "integer", "minimum": 0}
_SECONDS: Node = {"type": "number", "minimum": 0}
_FLAG: Node = {"type": "boolean"}
_JOB_ID: Node = {"type": "integer", "minimum": 1, "maximum": MAX_JOB_ID}
_TIME: Node = {"type": "string", "format": "date-time", "pattern": "Z$", "description": "RFC 3339, UTC"}


def document(base: str = "") -> Node:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "gemwatch",
            "version": __version__,
            "description": "The watched GEM jobs, their state, and the messages about them. Read only.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base or "/"}],
        # Where web.token is not set, no login is needed.
        "security": [{}, {"token": []}, {"session": []}],
        "paths": {
            "/api/jobs": _get("jobs", "Jobs, filtered, ordered and by pages", "JobPage", _job_parameters()),
            "/api/jobs/{job_id}": _get("job", "A job and its history", "JobWithHistory", [_path()], "404"),
            "/api/deliveries": _get("deliveries", "Messages, newest first", "DeliveryPage", _delivery_parameters()),
            "/api/service": _get("service", "The state of the service", "Service", []),
        },
        "components": {
            "schemas": {**_jobs(), **_happenings(), **_pages(), "Error": _error()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "web.token of the configuration"},
                "session": {"type": "apiKey", "in": "cookie", "name": "gemwatch", "description": "given by /login"},
            },
        },
    }


def _get(name: str, summary: str, shape: str, parameters: list[Node], *more: str) -> Node:
    errors = {
        "400": "A parameter that cannot be used; `parameter` names it",
        "401": "web.token is set, and the request has neither the token nor a session",
        "404": "There is no such job",
        "421": "The name in the Host header is none of web.hosts",
        "429": "Too many wrong tokens came from this address",
        "503": "The store does not answer just now",
    }
    answers = {code: _answer(text, "Error") for code, text in errors.items() if code != "404" or code in more}
    answers["401"]["headers"] = {"WWW-Authenticate": {"schema": _TEXT}}
    for code in ("429", "503"):
        answers[code]["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return {
        "get": {
            "operationId": name,
            "summary": summary,
            "parameters": parameters,
            "responses": {"200": _answer(summary, shape), **answers},
        }
    }


def _answer(description: str, shape: str) -> Node:
    return {"description": description, "content": {"application/json": {"schema": _ref(shape)}}}


def _job_parameters() -> list[Node]:
    return [
        _query("search", _short(), "In the job's id, name or input file name; A to Z and a to z are alike"),
        _query(
            "status",
            {"type": "array", "items": _short(), "minItems": 1},
            f'Only these, as the API sent them; "{UNSEEN}" for jobs without one',
        ),
        _query("watched", _FLAG, "Only jobs that are watched, or only those that no longer are"),
        _query("finished", _FLAG, "Only jobs that have ended, or only those that have not"),
        _query("needs_review", _FLAG, "Only jobs whose success needs review, or only the others"),
        _query("sort", {"enum": list(JOB_ORDERS), "default": "job_id"}, "Jobs without this come last"),
        _query("order", {"enum": ["asc", "desc"], "default": "asc"}, "Which way"),
        *_page_parameters(),
    ]


def _delivery_parameters() -> list[Node]:
    return [
        _query("state", {"enum": list(DeliveryState)}, "Only messages in this state"),
        _query("target", _short(), "Only messages to this target"),
        _query("job_id", _JOB_ID, "Only messages about this job"),
        *_page_parameters(),
    ]


def _page_parameters() -> list[Node]:
    return [
        _query(
            "limit", {"type": "integer", "minimum": 1, "maximum": MOST, "default": DEFAULT_LIMIT}, "How many at most"
        ),
        _query("offset", {"type": "integer", "minimum": 0, "maximum": FARTHEST, "default": 0}, "How many to skip"),
    ]


def _path() -> Node:
    return {"name": "job_id", "in": "path", "required": True, "schema": _JOB_ID}


def _query(name: str, schema: Node, description: str) -> Node:
    return {"name": name, "in": "query", "description": description, "schema": schema}


def _short() -> Node:
    return {"type": "string", "minLength": 1, "maxLength": LONGEST}


def _jobs() -> Node:
    job = {
        "job_id": _JOB_ID,
        "name": _or_null(_TEXT),
        "status": _or_null({"type": "string", "description": "As the API sent it; null: not seen yet"}),
        "status_since": _or_null(_TIME),
        "running_since": _or_null({**_TIME, "description": "null: its start was not seen"}),
        "watched": _FLAG,
        "finished": _FLAG,
        "last_polled_at": _or_null(_TIME),
        "next_poll_at": _or_null(_TIME),
        "misses": {**_COUNT, "description": "404s in a row"},
        "not_found": {**_FLAG, "description": "The API says that there is no such job"},
        "last_error": _or_null(_TEXT),
        "failure": _list({"type": "string", "description": "GEM's own reason for a FAILED"}),
        "details": _or_null({"type": "object", "description": "The API's own answer"}),
        "estimate": _or_null(_ref("Estimate")),
        "needs_review": _list({"type": "string", "description": "Why the result needs review"}),
        "limits_passed": _list({"enum": [kind for kind in EventKind if kind.traits.limit]}),
        "previous": _or_null(_ref("Run")),
    }
    history = {
        "transitions": _list(_ref("Transition"), "Oldest first; the newest 200"),
        "deliveries": _list(_ref("Delivery"), "Oldest first; the newest 200"),
        "runs": _list(_ref("Run"), "Earlier runs of the same input, newest first"),
    }
    estimate = {
        **dict.fromkeys(("ends_at", "earliest", "latest"), _TIME),
        "runs": {**_COUNT, "description": "How many earlier runs it uses"},
        "basis": {"enum": ["input", "release", "type"], "description": "What those have in common with this one"},
        "overdue": _FLAG,
        "queue_seconds": _or_null(_ref("Range")),
        "running_seconds": _or_null(_ref("Range")),
    }
    run = {
        "job_id": _JOB_ID,
        "ended_at": _TIME,
        "matched": _or_null({"type": "number", "minimum": 0, "maximum": 1}),
        "roads": _or_null(_COUNT),
        "kilometres": _or_null(_SECONDS),
        "running_seconds": _or_null(_SECONDS),
    }
    return {
        "Job": _object(job),
        "JobWithHistory": _object({**job, **history}),
        "Estimate": _object(estimate),
        "Range": _object(dict.fromkeys(("low", "median", "high"), _SECONDS)),
        "Run": _object(run),
    }


def _happenings() -> Node:
    transition = {
        "job_id": _JOB_ID,
        "from": _or_null({"type": "string", "description": "null: the job was seen for the first time"}),
        "to": _TEXT,
        "last_seen_before": _or_null(_TIME),
        "observed_at": _TIME,
        "failure": _list({"type": "string", "description": "GEM's own reason for a FAILED"}),
    }
    delivery = {
        "id": _COUNT,
        "event": {"type": "string", "pattern": "^gw-[0-9]+$"},
        "kind": {"enum": list(EventKind)},
        "job_id": _or_null({**_JOB_ID, "description": "null: about the service"}),
        "target": _TEXT,
        "state": {"enum": list(DeliveryState)},
        "attempts": _COUNT,
        "next_attempt_at": _or_null(_TIME),
        "sent_at": _or_null(_TIME),
        "last_error": _or_null(_TEXT),
    }
    service = {
        "version": _TEXT,
        "config": {"enum": list(CONFIG_STATES), "description": "Whether the last edit was applied"},
        "store_trouble": _or_null({"type": "string", "description": "What keeps the store from being written"}),
        "login": {"enum": list(Login)},
        "login_since": _or_null(_TIME),
        "api": {"enum": list(ApiState)},
        "api_since": _or_null(_TIME),
        "token_expires_at": _or_null(_TIME),
        "targets_down": {
            "type": "array",
            "description": "Targets that do not accept messages",
            "items": _object({"target": _TEXT, "since": _TIME, "reason": _or_null(_TEXT)}),
        },
        "deliveries": _object({"pending": _COUNT, "failed": _COUNT}),
        "jobs": {
            "type": "object",
            "description": f'Watched jobs by status, "{UNSEEN}" among them',
            "additionalProperties": _COUNT,
        },
        "needs_review": {**_COUNT, "description": "Watched jobs whose success needs review"},
    }
    return {"Transition": _object(transition), "Delivery": _object(delivery), "Service": _object(service)}


def _pages() -> Node:
    def page(of: str, shape: str) -> Node:
        return _object({of: _list(_ref(shape)), "total": _COUNT, "limit": _COUNT, "offset": _COUNT})

    return {"JobPage": page("jobs", "Job"), "DeliveryPage": page("deliveries", "Delivery")}


def _error() -> Node:
    return {
        "type": "object",
        "properties": {"error": _TEXT, "parameter": _TEXT},
        "required": ["error"],
        "additionalProperties": False,
    }


def _object(properties: Node) -> Node:
    """All of these, always, and nothing else."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(items: Node, description: str | None = None) -> Node:
    return {"type": "array", "items": items, **({"description": description} if description else {})}


def _or_null(schema: Node) -> Node:
    if "type" in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}
