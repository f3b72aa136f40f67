"""The installed daemon: a process, a configuration file, a store on disk."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.figures import samples
from bench.nginx import free_port
from bench.processes import pinned, running, wait_for

KEY, TOKEN = "bench-key", "bench-token"
FIRST_JOB = 100_000_001


class Installation:
    """A folder with a configuration and a store. Its only limits are 50 requests at a time, and `max_rate` unless
    that is 0."""

    def __init__(self, folder: Path, url: str, sink: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.config, self.log = folder, folder / "config.yaml", folder / "daemon.log"
        self.url, self.sink, self.port = url, sink or "json://127.0.0.1:9/nobody", free_port()
        self.max_rate = 0
        self.store: str | None = None  # the URL; None: a file in the folder
        self.keys: dict[str, str] = {}  # further keys of the configuration, in YAML
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, jobs: Iterable[int | str], every: str, **poll: str) -> None:
        """Write the configuration atomically. A job is an id, or a YAML entry."""
        watch = "\n".join(f"  - {job}" for job in jobs)
        more = "".join(f", {key}: {value}" for key, value in poll.items())
        text = (
            f"api: {{base_url: '{self.url}', key: {KEY}, token: {{value: {TOKEN}}}, "
            f"max_in_flight: 50, max_rate: {self.max_rate}}}\n"
            f"poll: {{every: {every}{more}}}\n"
            f"notify: {{team: {{url: '{self.sink}'}}}}\n"
            f"web: {{listen: '127.0.0.1:{self.port}'}}\n"
            "log: {format: json}\n"
            + (f"store: {{url: '{self.store}'}}\n" if self.store else "")
            + "".join(f"{key}: {value}\n" for key, value in self.keys.items())
            + f"watch:\n{watch}\n"
        )
        unfinished = self.config.with_suffix(".new")
        unfinished.write_text(text)
        unfinished.replace(self.config)

    @contextmanager
    def daemon(self, *, pin: bool = False) -> Iterator["Installation"]:
        """Runs the daemon during a `with`, which starts when it is ready. `pin`: to one core, for a race."""
        command = [sys.executable, "-m", "gemwatch", "run", "--config", str(self.config)]
        with running(pinned(command) if pin else command, self.log, environment()) as process:
            self.process = process
            wait_for(lambda: process.poll() is not None or self.ready, "the daemon to be ready")
            if process.poll() is not None:
                raise RuntimeError(f"the daemon ended at its start:\n{self.log.read_text()[-4000:]}")
            yield self

    def kill(self) -> None:
        """End it as a crash would."""
        os.kill(self.pid, signal.SIGKILL)

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError("the daemon was not started")
        return self.process.pid

    @property
    def ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=60) as page:
                return bool(page.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def metrics(self) -> dict[tuple[str, str], float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as page:
            return samples(page.read().decode())

    def applied(self) -> int:
        """How many configurations have been applied, according to the log. Reading it does not slow the daemon."""
        return self.log.read_bytes().count(b'"config_applied"') if self.log.exists() else 0

    def decided(self) -> int:
        """How many configurations have been applied or refused, according to the log."""
        log = self.log.read_bytes() if self.log.exists() else b""
        return log.count(b'"config_applied"') + log.count(b'"config_refused"')

    def unseen(self) -> float:
        """How many watched jobs have not been seen yet."""
        return self.metrics()["gemwatch_jobs", 'status="unseen"']


def environment() -> dict[str, str]:
    """Our environment without the variables of a developer's shell."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GEMWATCH", "TOMTOM"))}
    return {**kept, "NO_PROXY": "127.0.0.1"}


def jobs(count: int) -> range:
    return range(FIRST_JOB, FIRST_JOB + count)
