"""The JSON API: what `status`, `history` and `deliveries` print, for other programs. Read-only."""

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gemwatch import __version__
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads import json_shapes
from gemwatch.adapters.store.reads.view_queries import JOB_ORDERS
from gemwatch.adapters.store.reads.views import DEFAULT_LIMIT, MOST, Views
from gemwatch.core.work import DeliveryState
from gemwatch.web.api import openapi
from gemwatch.web.http.parameters import FARTHEST, ParameterError, Parameters, job_id
from gemwatch.web.http.shared import Handler, SharedAnswers

_JOB_PARAMETERS = (
    "job_id",
    "search",
    "status",
    "watched",
    "finished",
    "needs_review",
    "group",
    "sort",
    "order",
    "limit",
    "offset",
)
_DELIVERY_PARAMETERS = ("state", "target", "job_id", "limit", "offset")


class Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        # In ASCII: texts from outside may hold halves of characters, which no encoding takes.
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def routes(views: Views, shared: SharedAnswers, *, base: str = "") -> list[Route]:
    async def jobs(request: Request) -> Response:
        asked = Parameters(request.query_params, _JOB_PARAMETERS, repeated=("job_id", "status"))
        page = await views.jobs(
            job_ids=asked.job_ids("job_id"),
            search=asked.text("search"),
            status=asked.texts("status"),
            watched=asked.flag("watched"),
            finished=asked.flag("finished"),
            needs_review=asked.flag("needs_review"),
            group=asked.text("group"),
            sort=asked.word("sort", JOB_ORDERS) or "job_id",
            descending=asked.word("order", ("asc", "desc")) == "desc",
            limit=_limit(asked),
            offset=_offset(asked),
        )
        return Json(json_shapes.jobs_page_json(page))

    async def job(request: Request) -> Response:
        Parameters(request.query_params, ())
        wanted = job_id("job_id", request.path_params["job_id"])
        found = await views.job(wanted)
        if found is None:
            return Json({"error": f"gemwatch does not know job {wanted}"}, 404)
        return Json(json_shapes.history_json(found))

    async def deliveries(request: Request) -> Response:
        asked = Parameters(request.query_params, _DELIVERY_PARAMETERS)
        number = asked.text("job_id")
        page = await views.deliveries(
            state=asked.word("state", [state.value for state in DeliveryState]),
            target=asked.text("target"),
            job_id=None if number is None else job_id("job_id", number),
            limit=_limit(asked),
            offset=_offset(asked),
        )
        return Json(json_shapes.deliveries_page_json(page))

    async def groups(request: Request) -> Response:
        Parameters(request.query_params, ())
        return Json(json_shapes.groups_json(await views.groups()))

    async def service(request: Request) -> Response:
        Parameters(request.query_params, ())
        return Json(json_shapes.service_json(await views.service(), version=__version__))

    async def description(_: Request) -> Response:
        return Json(openapi.document(base))

    handlers: dict[str, Handler] = {
        "/api/jobs": jobs,
        "/api/jobs/{job_id}": job,
        "/api/deliveries": deliveries,
        "/api/groups": groups,
        "/api/service": service,
        "/api/openapi.json": description,
    }
    return [Route(path, shared(_answering(handler))) for path, handler in handlers.items()]


def _limit(asked: Parameters) -> int:
    limit = asked.number("limit", 1, MOST)
    return DEFAULT_LIMIT if limit is None else limit


def _offset(asked: Parameters) -> int:
    return asked.number("offset", 0, FARTHEST) or 0


def _answering(handler: Handler) -> Handler:
    """Errors as JSON."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except ParameterError as bad:
            return Json({"error": f"{bad.name}: {bad}", "parameter": bad.name}, 400)
        except StoreError as error:
            return Json({"error": str(error)}, 503, headers={"Retry-After": "10"})

    return answered
