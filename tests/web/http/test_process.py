"""The web server of the program as a process: when it refuses to start, what it never shows, and that it stops."""

import contextlib
import http.client
import json
import re
import socket

import pytest

from support.daemon import Installation
from support.gem import ScriptedGem
from support.waiting import wait_until
from support.warm import WarmDaemon

TOKEN = "web-token-7d2b9e41c0"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("command", ["run", "check"])
def test_start_on_an_open_address_needs_a_token(installation: Installation, command: str) -> None:
    installation.configure(web={"listen": f"0.0.0.0:{installation.port}"})
    refused = installation.run(command)
    assert refused.returncode == 2
    assert re.search(r"config\.yaml:\d+:\d+: web\.listen: can be reached from other machines", refused.stderr)
    assert "openssl rand -hex 24" in refused.stderr
    assert not (installation.folder / "gemwatch.db").exists()


def ask(port: int, path: str, method: str = "GET", body: str = "", **headers: str) -> tuple[int, str, str]:
    """Status, headers and body of an answer."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        return answer.status, str(answer.headers), answer.read().decode()


def test_web_token_appears_nowhere(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS", "SUCCESS")
    web = {"listen": f"0.0.0.0:{installation.port}", "token": "${WEB_TOKEN}"}
    installation.configure(watch=[1], web=web)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    shown: list[str] = []
    with installation.daemon(WEB_TOKEN=TOKEN) as daemon:
        port = installation.port
        wait_until(lambda: installation.history(1)[-1:] == ["SUCCESS"], "the end")
        status, headers, text = ask(port, "/login", "POST", f"token={TOKEN}", **form)
        assert status == 303
        shown += [headers, text]
        for path in (
            "/healthz",
            "/readyz",
            "/metrics",
            "/",
            "/login",
            "/api/jobs",
            "/api/jobs/1",
            "/api/service",
            "/api/x",
        ):
            for sent in ({}, BEARER, {"Authorization": f"Bearer {TOKEN}-wrong"}):
                shown += map(str, ask(port, path, **sent))
        jobs = json.loads(ask(port, "/api/jobs", **BEARER)[2])
        assert jobs["jobs"] == installation.json("status")["jobs"]
        installation.configure(web={**web, "token": f"{TOKEN}-new"})
        wait_until(lambda: daemon.logged("restart_needed"), "the edit to be noticed")
        assert daemon.stop() == 0
    for command in (("status",), ("check",), ("doctor", "--offline")):
        done = installation.run(*command, WEB_TOKEN=TOKEN)
        shown += [done.stdout, done.stderr]
    shown += [
        file.read_bytes().decode("latin-1") for file in installation.folder.iterdir() if file != installation.config
    ]
    assert not [text for text in shown if TOKEN in text]


def test_edit_to_an_open_address_needs_a_token(installation: Installation) -> None:
    installation.configure()
    with WarmDaemon(installation) as daemon:
        installation.configure(web={"listen": f"0.0.0.0:{installation.port}"})
        wait_until(lambda: daemon.logged("config_refused"), "the refusal")
        assert daemon.get("/healthz")[0] == 200
        assert daemon.stop() == 0


def test_refused_requests_do_not_fill_the_log(installation: Installation) -> None:
    installation.configure()
    with WarmDaemon(installation) as daemon:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", installation.port), timeout=10) as sock:
                sock.sendall(b"no such protocol\r\n\r\n")
                assert sock.recv(1000).startswith(b"HTTP/1.1 400")
        assert daemon.stop() == 0
        assert "Invalid HTTP" not in daemon.log_file.read_text()


def test_readers_neither_delay_a_stop_nor_keep_the_wal(installation: Installation) -> None:
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        assert all(daemon.get("/api/jobs")[0] == 200 for _ in range(20))
        assert daemon.stop() == 0
    assert not list(installation.folder.glob("gemwatch.db-*"))
