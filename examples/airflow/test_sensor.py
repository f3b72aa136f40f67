"""The sensor and its trigger against a real server, with the real Airflow: `python -m pytest examples/airflow`."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from typing import Any

import pytest
from airflow.exceptions import AirflowException
from airflow.sdk.exceptions import TaskDeferred
from gemwatch_sensor import GemJobSensor, GemJobTrigger

_FIELDS = [
    "name",
    "status_since",
    "running_since",
    "last_polled_at",
    "next_poll_at",
    "last_error",
    "details",
    "estimate",
    "previous",
]


def job(job_id: int, status: str, **more: Any) -> dict[str, Any]:
    ended = status in {"SUCCESS", "FAILED"}
    lists = {"failure": [], "needs_review": [], "limits_passed": []}
    details = {"result_filename": f"{job_id}.results.parquet"}
    plain = {"job_id": job_id, "status": status, "watched": True, "finished": ended, "misses": 0, "not_found": False}
    return {**dict.fromkeys(_FIELDS), **plain, **lists, "details": details, **more}


class Daemon(BaseHTTPRequestHandler):
    """Answers /api/jobs like gemwatch: the first answer is 503, the second has an unfinished job."""

    answers: list[Any]

    def do_GET(self) -> None:
        assert self.headers["Authorization"] == "Bearer the-token-of-the-web"
        jobs = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        body = json.dumps({"jobs": jobs or [], "total": len(jobs or []), "limit": 500, "offset": 0}).encode()
        self.send_response(503 if jobs is None else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Daemon]]:
    server = HTTPServer(("127.0.0.1", 0), Daemon)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"http://:the-token-of-the-web@127.0.0.1:{server.server_port}/http"
    monkeypatch.setenv("AIRFLOW_CONN_GEMWATCH", uri)
    yield Daemon
    server.shutdown()
    server.server_close()


def fired(sensor: GemJobSensor) -> Any:
    """What the task returns once the trigger, serialized and rebuilt as the triggerer does, has fired."""
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    path, values = deferred.value.trigger.serialize()
    module, _, name = path.rpartition(".")
    trigger: GemJobTrigger = getattr(import_module(module), name)(**values)

    async def first() -> Any:
        return await anext(aiter(trigger.run()))

    return sensor.resume({}, asyncio.run(first()).payload)


def test_sensor_waits_for_the_end_of_all_jobs(daemon: type[Daemon]) -> None:
    daemon.answers = [None, [job(1, "IN_PROGRESS"), job(2, "SUCCESS")], [job(1, "SUCCESS"), job(2, "SUCCESS")]]
    sensor = GemJobSensor(task_id="wait", job_ids="[1, 2]", pause=0.01)
    assert fired(sensor) == {"1": "1.results.parquet", "2": "2.results.parquet"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([job(1, "FAILED")], "did not end well"),
        ([job(1, "SUCCESS", needs_review=["fewer roads"])], "fewer roads"),
        ([], "does not watch"),
    ],
)
def test_sensor_fails_if_a_job_does_not_end_well(daemon: type[Daemon], answer: Any, words: str) -> None:
    daemon.answers = [answer]
    with pytest.raises(AirflowException, match=words):
        fired(GemJobSensor(task_id="wait", job_ids=[1], pause=0.01))


def test_result_that_needs_review_can_be_allowed(daemon: type[Daemon]) -> None:
    daemon.answers = [[job(1, "SUCCESS", needs_review=["fewer roads"])]]
    assert fired(GemJobSensor(task_id="wait", job_ids=1, pause=0.01, allow_review=True)) == {"1": "1.results.parquet"}
