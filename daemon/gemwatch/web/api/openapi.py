"""The OpenAPI 3.1 description of the API, built from the program's own names."""

from typing import Any, Literal

from pydantic import TypeAdapter

from gemwatch import __version__
from gemwatch.adapters.store.reads.view_queries import JOB_ORDERS
from gemwatch.adapters.store.reads.views import DEFAULT_LIMIT, MOST
from gemwatch.client import answers
from gemwatch.core.job import UNSEEN
from gemwatch.core.job_id import MAX_JOB_ID
from gemwatch.core.work import DeliveryState
from gemwatch.web.http.parameters import FARTHEST, LONGEST, MOST_IDS

Node = dict[str, Any]

_TEXT: Node = {"type": "string"}
_FLAG: Node = {"type": "boolean"}
_JOB_ID: Node = {"type": "integer", "minimum": 1, "maximum": MAX_JOB_ID}


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
            "/api/jobs": _get("jobs", "Jobs, with filters, order and pages", "JobPage", _job_parameters()),
            "/api/jobs/{job_id}": _get("job", "A job and its history", "JobWithHistory", [_path()], "404"),
            "/api/deliveries": _get("deliveries", "Deliveries, newest first", "DeliveryPage", _delivery_parameters()),
            "/api/groups": _get("groups", "Groups of jobs, and how far they are", "Groups", []),
            "/api/service": _get("service", "The state of the service", "Service", []),
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "web.token of the configuration"},
                "session": {"type": "apiKey", "in": "cookie", "name": "gemwatch", "description": "set by /login"},
            },
        },
    }


def _get(name: str, summary: str, shape: str, parameters: list[Node], *more: str) -> Node:
    errors = {
        "400": "A parameter cannot be used; `parameter` names it",
        "401": "web.token is set, and the request has neither the token nor a session",
        "404": "There is no such job",
        "421": "The name in the Host header is not in web.hosts",
        "429": "Too many wrong tokens came from this address",
        "503": "The store does not answer",
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
        _query(
            "job_id",
            {"type": "array", "items": _JOB_ID, "minItems": 1, "maxItems": MOST_IDS},
            "Only these of the jobs that gemwatch knows",
        ),
        _query("search", _short(), "In the job's id, name or input file name; A to Z and a to z are alike"),
        _query(
            "status",
            {"type": "array", "items": _short(), "minItems": 1},
            f'Only these, as the API sent them; "{UNSEEN}" for jobs without one',
        ),
        _query("watched", _FLAG, "Only jobs that are watched, or only those that no longer are"),
        _query("finished", _FLAG, "Only jobs that have ended, or only those that have not"),
        _query("needs_review", _FLAG, "Only jobs whose success needs review, or only the others"),
        _query("group", _short(), "Only the members of this group"),
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


def _schemas() -> Node:
    """The schemas of all responses and of their parts."""
    roots = (answers.JobPage, answers.JobWithHistory, answers.DeliveryPage, answers.Groups, answers.Service)
    adapters: list[tuple[str, Literal["serialization"], TypeAdapter[Any]]] = [
        (shape.__name__, "serialization", TypeAdapter(shape)) for shape in roots
    ]
    _, found = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
    return {**{name: _closed(shape) for name, shape in found["$defs"].items()}, "Error": _error()}


def _closed(shape: Node) -> Node:
    """This daemon sends all these fields and no others; the descriptions of the types are for users of the client."""
    fields = {name: shape[name] for name in ("properties", "required", "title", "type")}
    return {"additionalProperties": False, **fields}


def _error() -> Node:
    return {
        "type": "object",
        "properties": {"error": _TEXT, "parameter": _TEXT},
        "required": ["error"],
        "additionalProperties": False,
    }


def _ref(name: str) -> Node:
    return {"$ref": f"#/components/schemas/{name}"}
