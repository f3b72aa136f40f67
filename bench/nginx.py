"""A GEM API that is never the bottleneck: nginx answers for any job id, with a random status.

A status is drawn for every request, by a hash of nginx's random request id: with a share p of IN_PROGRESS
and the rest REQUESTED, a job's status differs from its last one in 2p(1-p) of the polls.
"""

import math
import shutil
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.processes import pinned, running, wait_for

_CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 2048; }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_timeout 3600s;
  keepalive_requests 1000000000;
  log_format moments '$msec';
  access_log {access};
  split_clients $request_id $status_now {{ {rarer} * REQUESTED; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    default_type application/json;
    location ~ "^/jobs/([0-9]+)$" {{ return 200 '{job}'; }}
    location = /jobs {{ alias {folder}/jobs.json; access_log {lists}; }}
    location = /served {{ stub_status; access_log off; }}
  }}
}}
"""
JOB = (
    '{{"job_id": {id}, "storage_id": "storage-001", "input_filename": "roads_of_a_country_2026-02-18_{id}.parquet", '
    '"result_filename": null, "job_type": "ROAD_MATCHING", "overture_release": "2026-01-21.0", "status": "{status}", '
    '"requested_at": "2026-02-18T10:38:59.031762Z", "statistics": null, "links": {{"self": '
    '"https://api.example.com/maps/orbis/platform/gem/jobs/{id}", "result": null}}, "priority": "NORMAL", '
    '"region": "a region with a name of some length", "submitted_by": "pipeline@example.com"}}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nginx:
    url: str
    folder: Path

    def served(self) -> int:
        """How many requests it has answered, without this one. Reading this does not slow the measured processes."""
        with urllib.request.urlopen(f"{self.url}/served", timeout=30) as page:
            return int(page.read().split()[9])

    def moments(self) -> list[float]:
        """When each request for a job arrived, on the wall clock; for a server with `noting`."""
        return [float(line) for line in (self.folder / "moments.log").read_text().split()]

    def lists(self) -> int:
        """How many lists of jobs it has sent."""
        return len((self.folder / "lists.log").read_text().split())


def installed() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def nginx(folder: Path, *, transitions: float = 0.0, noting: bool = False) -> Iterator[Nginx]:
    """Runs a separate server on a free port during a `with`. `transitions`: their share of the polls."""
    program = installed()
    if program is None:
        raise FileNotFoundError("the bench needs nginx (apt-get install nginx-light)")
    folder.mkdir(parents=True)
    port, config = free_port(), folder / "nginx.conf"
    share = f"{100 * share_of_transitions(transitions):.2f}"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            port=port,
            rarer=f"{share}% IN_PROGRESS;" if transitions else "",  # nginx does not accept 0 %
            job=JOB.format(id="$1", status="$status_now"),
            access=f"{folder}/moments.log moments" if noting else "off",
            lists=f"{folder}/lists.log moments",
        )
    )
    command = [program, "-c", str(config), "-e", str(folder / "error.log")]
    with running(pinned(command, aside=True), folder / "nginx.out") as process:
        server = Nginx(url=f"http://127.0.0.1:{port}", folder=folder)
        wait_for(lambda: process.poll() is not None or _listens(port), "nginx to listen")
        if process.poll() is not None:
            raise RuntimeError(f"nginx does not start:\n{(folder / 'nginx.out').read_text()}")
        yield server


def share_of_transitions(transitions: float) -> float:
    """The share p of answers with the rarer status, so that 2p(1-p) of a job's answers differ from the previous."""
    return (1 - math.sqrt(1 - 2 * transitions)) / 2


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        time.sleep(0.05)
        return False
    return True
