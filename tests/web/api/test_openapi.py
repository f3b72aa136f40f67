"""What the API answers is what its description says, whatever is asked: schemathesis asks the real server."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.result import Ok

from gemwatch.core.kinds import EventKind
from gemwatch.web.api.openapi import document
from support.filled import fill
from support.web import Site, store_in

schema = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a filled store, in a thread of its own: schemathesis is not asynchronous."""
    store = store_in(tmp_path_factory.mktemp("store"))
    fill(store)
    shown, ports, begun, stopped = Site(store), list[int](), threading.Event(), threading.Event()

    async def serve() -> None:
        async with shown.served() as port:
            ports.append(port)
            begun.set()
            while not stopped.is_set():  # noqa: ASYNC110 (the event is another thread's)
                await asyncio.sleep(0.01)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    begun.wait()
    yield f"http://127.0.0.1:{ports[0]}"
    stopped.set()
    thread.join()
    shown.views.close()


@schema.parametrize()
@settings(max_examples=60, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
def test_every_answer_matches_openapi(case: "schemathesis.Case[Any]", url: str) -> None:
    case.call_and_validate(base_url=url)


@pytest.mark.parametrize(
    "path",
    [
        "/api/jobs?limit=500",
        "/api/jobs/5",
        "/api/jobs/1",
        "/api/jobs/9223372036854775807",
        "/api/deliveries",
        "/api/service",
    ],
)
def test_answer_with_every_field_matches_openapi(url: str, path: str) -> None:
    answer = httpx.get(url + path, trust_env=False)
    assert answer.status_code == 200
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    next(one for one in operations if fits(one.path, path)).validate_response(answer)


def fits(described: str, path: str) -> bool:
    wanted = path.partition("?")[0].split("/")
    parts = described.split("/")
    return len(parts) == len(wanted) and all(p in (w, "{job_id}") for p, w in zip(parts, wanted, strict=True))


def test_openapi_is_served(url: str) -> None:
    assert httpx.get(f"{url}/api/openapi.json", trust_env=False).json() == document()


@pytest.mark.parametrize("kind", EventKind)
def test_openapi_lists_every_event_kind(kind: EventKind) -> None:
    schemas = document()["components"]["schemas"]
    assert kind.value in schemas["Delivery"]["properties"]["kind"]["enum"]
    limits = schemas["Job"]["properties"]["limits_passed"]["items"]["enum"]
    assert (kind.value in limits) is (kind.traits.limit is not None)
