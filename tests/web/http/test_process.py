"""The web server of the program as a process: when it refuses to start, what it never shows, and that it stops."""

import contextlib
import http.client
import json
import os
import re
import socket
import sqlite3

import pytest

from support.daemon import Installation
from support.gem import ScriptedGem
from support.waiting import wait_until

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
    with installation.daemon() as daemon:
        installation.configure(web={"listen": f"0.0.0.0:{installation.port}"})
        wait_until(lambda: daemon.logged("config_refused"), "the refusal")
        assert daemon.get("/healthz")[0] == 200
        assert daemon.stop() == 0


def test_refused_requests_do_not_fill_the_log(installation: Installation) -> None:
    installation.configure()
    with installation.daemon() as daemon:
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", installation.port), timeout=10) as sock:
                sock.sendall(b"no such protocol\r\n\r\n")
                assert sock.recv(1000).startswith(b"HTTP/1.1 400")
        assert daemon.stop() == 0
        assert "Invalid HTTP" not in daemon.log_file.read_text()


def test_livez_outlasts_a_store_that_fails(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        with contextlib.closing(sqlite3.connect(installation.folder / "gemwatch.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            wait_until(lambda: daemon.get("/healthz")[0] == 503, "the failure")
            assert daemon.get("/livez") == (200, '{"status":"ok"}')
            other.execute("ROLLBACK")
        wait_until(lambda: daemon.get("/healthz")[0] == 200, "the recovery")


def test_readers_neither_delay_a_stop_nor_keep_the_wal(installation: Installation) -> None:
    installation.configure(watch=[1])
    with installation.daemon() as daemon:
        assert all(daemon.get("/api/jobs")[0] == 200 for _ in range(20))
        assert daemon.stop() == 0
    assert not list(installation.folder.glob("gemwatch.db-*"))


def knock(port: int, source: str, token: str, **headers: str) -> int:
    """The status of a request with this token from another address of this machine."""
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", port, timeout=10, source_address=(source, 0))
    ) as to:
        to.request("GET", "/api/jobs", headers={"Authorization": f"Bearer {token}", **headers})
        return to.getresponse().status


def test_wrong_tokens_leave_one_log_line_and_a_count(installation: Installation) -> None:
    installation.configure(web={"listen": f"127.0.0.1:{installation.port}", "token": TOKEN})
    with installation.daemon() as daemon:
        port = installation.port
        answers = [
            knock(port, "127.0.0.2", f"{TOKEN}-wrong", **{"X-Forwarded-For": f"192.0.2.{n}"}) for n in range(40)
        ]
        assert answers[:10] == [401] * 10
        assert answers[10:] == [429] * 30
        assert knock(port, "127.0.0.2", TOKEN) == 429
        assert knock(port, "127.0.0.3", TOKEN) == 200
        assert "gemwatch_web_login_failures_total 41.0" in daemon.get("/metrics")[1]
        assert [line["address"] for line in daemon.logged("web_token_refused")] == ["127.0.0.2"]


def test_rotated_web_token_counts_from_the_restart_on(installation: Installation) -> None:
    secret, new = installation.folder / "web-token", f"{TOKEN}-new"
    secret.write_text(TOKEN)
    installation.configure(web={"listen": f"127.0.0.1:{installation.port}", "token": "${file:web-token}"})
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}

    def statuses(cookie: str = "") -> list[int]:
        headers: list[dict[str, str]] = [{"Authorization": f"Bearer {token}"} for token in (TOKEN, new)]
        return [ask(installation.port, "/api/jobs", **one)[0] for one in [*headers, {"Cookie": cookie}]]

    with installation.daemon() as daemon:
        headers = ask(installation.port, "/login", "POST", f"token={TOKEN}", **form)[1]
        (cookie,) = re.findall(r"(?im)^set-cookie: ([^;]+)", headers)
        secret.with_suffix(".new").write_text(new)
        secret.with_suffix(".new").replace(secret)
        wait_until(lambda: daemon.logged("restart_needed"), "the new token to be noticed")
        assert [line["section"] for line in daemon.logged("restart_needed")] == ["web"]
        assert statuses(cookie) == [200, 401, 200]
        assert daemon.stop() == 0
    with installation.daemon() as daemon:
        assert statuses(cookie) == [401, 200, 401]
        assert daemon.stop() == 0


def test_forwarded_addresses_of_a_proxy_count_one_by_one(installation: Installation) -> None:
    web = {"listen": f"127.0.0.1:{installation.port}", "token": TOKEN, "proxies": ["127.0.0.2/32"]}
    installation.configure(web=web)
    with installation.daemon() as daemon:
        port = installation.port
        for _ in range(11):
            last = knock(port, "127.0.0.2", f"{TOKEN}-wrong", **{"X-Forwarded-For": "192.0.2.1"})
        assert last == 429
        assert knock(port, "127.0.0.2", TOKEN, **{"X-Forwarded-For": "192.0.2.2"}) == 200
        assert [line["address"] for line in daemon.logged("web_token_refused")] == ["192.0.2.1"]


def test_logout_outlives_a_restart(installation: Installation) -> None:
    installation.configure(web={"listen": f"127.0.0.1:{installation.port}", "token": TOKEN})
    form = {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
    with installation.daemon() as daemon:
        _, headers, _ = ask(installation.port, "/login", "POST", f"token={TOKEN}", **form)
        cookie = {"Cookie": headers.partition("set-cookie: ")[2].partition(";")[0]}
        assert ask(installation.port, "/api/jobs", **cookie)[0] == 200
        assert ask(installation.port, "/logout", "POST", "x=", **form, **cookie)[0] == 303
        assert ask(installation.port, "/api/jobs", **cookie)[0] == 401
        assert daemon.stop() == 0
    with installation.daemon() as daemon:
        assert ask(installation.port, "/api/jobs", **cookie)[0] == 401
        assert daemon.stop() == 0


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_files_of_the_program_are_private(installation: Installation, gem: ScriptedGem, umask: int) -> None:
    """Store, log of the store, lock and backup, while it runs and afterwards."""
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    before = os.umask(umask)
    try:
        with installation.daemon() as daemon:
            wait_until(lambda: gem.asked(1) > 1, "a recorded poll")
            assert installation.run("db", "backup", str(installation.folder / "copy.db")).returncode == 0
            running = readable(installation)
            assert daemon.stop() == 0
    finally:
        os.umask(before)
    assert {"copy.db", "gemwatch.db", "gemwatch.db-wal", "gemwatch.db-shm", "gemwatch.db.lock"} <= set(running)
    assert not {name for name, others in (running | readable(installation)).items() if others}


def readable(installation: Installation) -> dict[str, bool]:
    """Whether others may do anything with each of the program's files."""
    ours = {"config.yaml", "daemon.log"}  # written by the test
    return {f.name: bool(f.stat().st_mode & 0o077) for f in installation.folder.iterdir() if f.name not in ours}
