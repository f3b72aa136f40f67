"""What the API answers is what its description says, whatever is asked: schemathesis asks the real server."""

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
from support.web import served_in_a_thread, store_in

schema = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = store_in(tmp_path_factory.mktemp("store"))
    fill(store)
    with served_in_a_thread(store) as url:
        yield url


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
