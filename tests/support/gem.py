"""A scripted GEM API on loopback: each job has a list of answers, and repeats the last one."""

import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.http import Handler, Server

KEY = "test-key-5e1f0c"
TOKEN = "test-token-a81b3d"

STATISTICS = {
    "confidence_threshold": 60,
    "execution_time_sec": 9751,
    "kms_processed": 80208.39,
    "num_roads_processed": 397613,
    "roads_matched_ratio": 0.8468,
    "roads_fully_matched_ratio": 0.675,
    "roads_partially_matched_ratio": 0.1718,
    "roads_unmatched_ratio": 0.1531,
}


def document(job_id: int, status: str, **fields: Any) -> dict[str, Any]:
    """A job's details in the form that TomTom documents."""
    ended = status == "SUCCESS"
    return {
        "job_id": job_id,
        "storage_id": "storage-001",
        "input_filename": "test_data.parquet",
        "result_filename": "test_data.results.parquet" if ended else None,
        "job_type": "ROAD_MATCHING",
        "overture_release": "2026-01-21.0",
        "status": status,
        "requested_at": "2026-02-18T10:38:59.031762Z",
        "statistics": dict(STATISTICS) if ended else None,
        **fields,
    }


@dataclass(kw_only=True)
class Answer:
    """One answer. `write` takes over the connection altogether, for what no well-behaved server would send."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None  # answered only once this is set
    write: Callable[[Handler], None] | None = None


@dataclass(frozen=True, kw_only=True)
class Request:
    at: float  # time.monotonic()
    path: str
    job_id: int | None
    headers: dict[str, str]  # names in lower case
    connection: int = 0  # the client's port: the same for requests on one connection


class ScriptedGem(Server):
    """`answers(7, "IN_PROGRESS", Answer(status=500), "SUCCESS")`; `for_all` overrides every job while it is set."""

    def __init__(self, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.for_all: Answer | None = None
        # Whether there are lists of jobs, or what each request for one is answered, perhaps by its path.
        self.lists: bool | Answer | Callable[[str], Answer] = False
        self.accepted_tokens: set[str] | None = None  # None: any
        self.most_at_once = 0
        self._at_once = 0
        self._scripts: dict[int, list[str | dict[str, Any] | Answer]] = {}
        self._lock = threading.Lock()
        gem = self

        class GemHandler(Handler):
            def do_GET(self) -> None:
                gem._serve(self)

        super().__init__(GemHandler, port, tls)

    def answers(self, job_id: int, *answers: str | dict[str, Any] | Answer) -> None:
        with self._lock:
            self._scripts[job_id] = list(answers)

    def listed(self) -> int:
        """How many lists were requested."""
        return sum(r.path.startswith("/jobs?") for r in list(self.requests))

    def asked(self, job_id: int) -> int:
        """How many requests this job got."""
        return sum(r.job_id == job_id for r in list(self.requests))

    @property
    def at_once(self) -> int:
        """How many requests are being answered just now."""
        return self._at_once

    def _serve(self, handler: Handler) -> None:
        name = handler.path.rpartition("/")[2]
        job_id = int(name) if handler.path.startswith("/jobs/") and name.isdigit() else None
        headers = {k.lower(): v for k, v in handler.headers.items()}
        with self._lock:
            self.requests.append(
                Request(
                    at=time.monotonic(),
                    path=handler.path,
                    job_id=job_id,
                    headers=headers,
                    connection=handler.client_address[1],
                )
            )
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            answer = self._next(job_id, handler.path, headers)
        try:
            if answer.hold is not None:
                answer.hold.wait()
            if answer.write is not None:
                answer.write(handler)
                handler.close_connection = True
            else:
                handler.answer(answer.status, answer.body, answer.headers)
        finally:
            with self._lock:
                self._at_once -= 1

    def _next(self, job_id: int | None, path: str, headers: dict[str, str]) -> Answer:
        if self.for_all is not None:
            return self.for_all
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if not headers.get("tomtom-api-key") or (
            self.accepted_tokens is not None and token not in self.accepted_tokens
        ):
            return Answer(status=401, body=b'{"detail": "invalid credentials"}')
        if path.startswith("/jobs?") and self.lists:
            return self._listing(path)
        script = self._scripts.get(job_id) if job_id is not None else None
        if not script or job_id is None:
            return Answer(status=404, body=b'{"detail": "job not found"}')
        step = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(step, Answer):
            return step
        details = document(job_id, step) if isinstance(step, str) else step
        return Answer(body=json.dumps(details).encode(), headers={"Content-Type": "application/json"})

    def _listing(self, path: str) -> Answer:
        """The jobs of the type that is asked for, as they would be answered next, unless another answer is set."""
        if not isinstance(self.lists, bool):
            return self.lists if isinstance(self.lists, Answer) else self.lists(path)
        (job_type,) = parse_qs(urlsplit(path).query)["job_type"]
        steps = [(job_id, script[0]) for job_id, script in self._scripts.items()]
        known = [document(job_id, step) if isinstance(step, str) else step for job_id, step in steps]
        jobs = [job for job in known if isinstance(job, dict) and job["job_type"] == job_type]
        return Answer(body=json.dumps({"jobs": jobs}).encode(), headers={"Content-Type": "application/json"})
