"""`gemwatch healthcheck`: 0 if a daemon is healthy, 1 if it is not."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gemwatch.demo.server import free_port
from support.daemon import GEMWATCH, Installation, environment
from support.gem import ScriptedGem
from support.http import Handler, Server
from support.inbox import Inbox


@dataclass
class Page:
    """What a daemon would answer."""

    status: int
    body: bytes


class Stuck(Server):
    def __init__(self, page: Page) -> None:
        class Answers(Handler):
            def do_GET(self) -> None:
                self.answer(page.status, page.body)

        super().__init__(Answers)


def stalled() -> Page:
    return Page(503, json.dumps({"status": "stalled", "reason": "polls: no progress for 70 s"}).encode())


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    with Stuck(stalled()) as stuck:
        yield stuck


def test_healthcheck_passes_despite_a_broken_configuration(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    installation.configure(api={**installation.document["api"], "token": {"value": "${GONE}"}})
    with installation.daemon(GONE="token") as daemon:
        nowhere = {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
        well = installation.run("healthcheck", **nowhere)
        assert (well.returncode, well.stdout, well.stderr) == (0, "ok\n", "")
        installation.configure(web={"listen": f"0.0.0.0:{installation.port}", "token": "${GONE_TOO}"}, pol={})
        assert installation.run("healthcheck").returncode == 0
        installation.config.write_text("watch: [")
        assert installation.run("healthcheck", "--url", f"http://127.0.0.1:{installation.port}").returncode == 0
        assert daemon.stop() == 0
    gone = installation.run("healthcheck", "--url", f"http://127.0.0.1:{installation.port}")
    assert gone.returncode == 1
    assert f"no daemon answers at 127.0.0.1:{installation.port}: Connection refused" in gone.stderr


def test_healthcheck_of_a_stuck_daemon_fails_with_the_reason(installation: Installation, stuck: Stuck) -> None:
    installation.configure(web={"listen": f"127.0.0.1:{stuck.port}"})
    done = installation.run("healthcheck")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "gemwatch: stalled: polls: no progress for 70 s\n"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"hello": "world"}'])
def test_healthcheck_fails_for_another_program_on_the_port(installation: Installation, body: bytes) -> None:
    installation.configure()
    with Stuck(Page(200, body)) as other:
        done = installation.run("healthcheck", "--url", other.url)
    assert done.returncode == 1
    assert "is not gemwatch" in done.stderr


@pytest.mark.parametrize(("listen", "why"), [("off", "web.listen is off"), ("127.0.0.1:0", "--url")])
def test_healthcheck_without_a_daemon_fails_with_the_reason(
    installation: Installation, listen: str, why: str
) -> None:
    installation.configure(web={"listen": listen})
    done = installation.run("healthcheck")
    assert done.returncode == 1
    assert why in done.stderr


def test_healthcheck_passes_where_its_output_is_lost() -> None:
    """The exit code is the answer; for a container engine another one means that the daemon is ill."""
    healthy = Page(200, json.dumps({"status": "ok"}).encode())
    with Stuck(healthy) as well, Path("/dev/full").open("w") as full:
        command = [*GEMWATCH, "healthcheck", "--url", well.url]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60, env=environment()
        )
    assert (done.returncode, done.stderr) == (0, "")


def test_healthcheck_of_an_invalid_address_exits_with_2(installation: Installation) -> None:
    assert installation.run("healthcheck", "--url", f"127.0.0.1:{free_port()}").returncode == 2
