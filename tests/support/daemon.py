"""The installed program as a process: started with a configuration, asked over HTTP, stopped by a signal."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from gemwatch.adapters.store.database import open_to_read
from gemwatch.demo.server import free_port
from support.gem import KEY, TOKEN, ScriptedGem
from support.inbox import Inbox
from support.json_records import JsonRecords
from support.waiting import PATIENCE, wait_until
from support.warm import Call, Dooming, WarmProcess, run

GEMWATCH = (sys.executable, "-m", "gemwatch")


def environment(**more: str) -> dict[str, str]:
    """Ours without what a developer's shell may hold."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GEMWATCH", "TOMTOM"))}
    return {**kept, "NO_PROXY": "127.0.0.1", "COLUMNS": "200", **more}


def run_gemwatch(
    *arguments: str,
    folder: Path | None = None,
    given: str = "",
    closed: Collection[int] = (),
    user: str | None = None,
    **more: str,
) -> subprocess.CompletedProcess[str]:
    """The program with these arguments, to its end."""
    return run(
        arguments,
        folder=folder or Path.cwd(),
        environment=environment(**more),
        given=given,
        closed=closed,
        user=user,
        patience=PATIENCE * 2,
    )


class Installation:
    """A folder with a configuration and a store, and the commands that are run on it."""

    def __init__(self, folder: Path, gem: ScriptedGem, inbox: Inbox) -> None:
        self.folder, self.config = folder, folder / "config.yaml"
        self.port = free_port()
        self.document: dict[str, Any] = {
            "api": {"base_url": gem.url, "key": KEY, "token": {"value": TOKEN}, "timeout": "5s", "max_rate": 0},
            "poll": {"every": "1s"},
            "notify": {"team": {"url": inbox.target_url("team")}},
            "watch": [],
            "web": {"listen": f"127.0.0.1:{self.port}"},
            "log": {"level": "debug", "format": "json"},
        }

    def configure(self, **sections: Any) -> None:
        """Write the configuration with these sections, replacing the file in one step."""
        self.document.update(sections)
        unfinished = self.config.with_suffix(".new")
        unfinished.write_text(yaml.safe_dump(self.document, sort_keys=False))
        unfinished.replace(self.config)

    def run(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """One command, to its end."""
        return run_gemwatch(*arguments, "--config", str(self.config), **more)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    @property
    def records(self) -> JsonRecords:
        """The store, read in this process: quicker than a command, for conditions that are awaited."""
        return JsonRecords(open_to_read(self.folder / "gemwatch.db"))

    def job(self, job_id: int) -> dict[str, Any]:
        """What `status` shows of it, once it is there: an entry that was just written has to be applied first."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [job for job in self.json("status")["jobs"] if job["job_id"] == job_id]
            return bool(found)

        wait_until(is_there, f"job {job_id}")
        return found[0]

    def history(self, job_id: int) -> list[str]:
        return [row["to"] for row in self.json("history", str(job_id))]

    def daemon(self, doom: Dooming = None, *, cold: bool = False, **more: str) -> "Daemon":
        return Daemon(self, more, doom=doom, cold=cold)


class Daemon:
    """`gemwatch run` for the length of a `with`; its log goes to a file."""

    def __init__(
        self,
        installation: Installation,
        more: Mapping[str, str],
        *,
        doom: Dooming = None,
        cold: bool = False,
    ) -> None:
        self._installation, self._more, self._doom, self._cold = installation, more, doom, cold
        self.log_file = installation.folder / "daemon.log"

    def start(self) -> None:
        """Start the process, and wait for nothing. A cold one is an interpreter of its own."""
        arguments = ("run", "--config", str(self._installation.config))
        if self._cold:
            with self.log_file.open("ab") as log:
                self.process: WarmProcess | subprocess.Popen[bytes] = subprocess.Popen(
                    [*GEMWATCH, *arguments],
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    env=environment(**self._more),
                )
            return
        self.log_file.touch()  # for those that read it at once
        self.process = WarmProcess(
            Call(
                arguments=arguments,
                environment=environment(**self._more),
                folder=Path.cwd(),
                streams=(Path(os.devnull), self.log_file, self.log_file),
                doom=self._doom,
            )
        )

    def await_ready(self) -> None:
        wait_until(lambda: self.process.poll() is not None or self.get("/readyz")[0] == 200, "the daemon to be ready")
        assert self._doom or self.process.poll() is None, self.log_file.read_text()

    def __enter__(self) -> Self:
        self.start()
        self.await_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if error is not None:
            print(self.log_file.read_text()[-20_000:])  # noqa: T201 (pytest shows it with the failure)

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of one of the daemon's pages; 0 while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._installation.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def stop(self, *signals: signal.Signals) -> int:
        """Send the signals (SIGTERM if none is named) and return the exit code."""
        for one in signals or (signal.SIGTERM,):
            self.process.send_signal(one)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_file.read_text().splitlines() if line.startswith("{")]

    def logged(self, event: str) -> Sequence[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == event]
