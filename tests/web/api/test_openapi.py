"""What the API answers is what its description says, whatever is asked: schemathesis asks the real server."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from pydantic import TypeAdapter
from schemathesis.core.result import Ok

from gemwatch.adapters.store.reads.json_shapes import estimate_json, replicas_json, service_json, targets_down_json
from gemwatch.adapters.store.reads.rows import ServiceState
from gemwatch.adapters.store.tables import groups
from gemwatch.client import answers
from gemwatch.core.estimates.estimate import Basis, Estimate, Range
from gemwatch.core.kinds import EventKind
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.target_health import TargetHealth
from gemwatch.web.api.openapi import document
from support import filled
from support.clock import START
from support.filled import fill
from support.web import served_in_a_thread, store_in

schema = schemathesis.openapi.from_dict(document())


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = store_in(tmp_path_factory.mktemp("store"))
    fill(store)
    filled.add(store, (groups, [{"name": "release", "member_added_at": START}]))
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
        "/api/groups",
        "/api/service",
    ],
)
def test_answer_with_every_field_matches_openapi(url: str, path: str) -> None:
    answer = httpx.get(url + path, trust_env=False)
    assert answer.status_code == 200
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    next(one for one in operations if fits(one.path, path)).validate_response(answer)


HOUR = timedelta(hours=1)
RANGE = Range(low=HOUR, median=HOUR, high=HOUR)
ESTIMATE = Estimate(
    ends_at=START, earliest=START, latest=START, runs=5, basis=Basis.INPUT, queue=RANGE, running=RANGE
)
STATE = ServiceState(
    targets={"team": TargetHealth(down_since=START, reason="HTTP 404")},
    replicas=(Replica(id="a", host="gem-1", pid=1, version="1", started_at=START, seen_at=START),),
)


@pytest.mark.parametrize(
    ("made", "shape"),
    [
        (estimate_json(ESTIMATE), answers.Estimate),
        (estimate_json(ESTIMATE)["running_seconds"], answers.Range),
        (service_json(STATE, version="1"), answers.Service),
        (replicas_json(STATE.replicas)[0], answers.Replica),
        (targets_down_json(STATE)[0], answers.TargetDown),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_json_has_exactly_the_declared_fields(made: dict[str, Any], shape: type) -> None:
    """Of what the filled store does not have; the answers above show the rest."""
    assert made.keys() == document()["components"]["schemas"][shape.__name__]["properties"].keys()
    assert TypeAdapter(shape).validate_python(made)


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
