"""Key, token and the targets' URLs stand nowhere, whatever fails: not in the log, the store, a page or an output."""

import base64
import json
import shlex
import socket
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gemwatch.demo.server import free_port
from support.daemon import Daemon, Installation
from support.disk import held
from support.gem import Answer, ScriptedGem, document
from support.http import Handler, Server
from support.inbox import Inbox
from support.waiting import wait_until

# Each has a heart that no encoding of addresses or JSON changes, and marks around it that every encoding does.
HEARTS = {
    name: f"{name}X{sha256(name.encode()).hexdigest()[:14]}"
    for name in ("key", "token", "fresh", "password", "hook", "odd", "slack")
}
KEY = f'k"&/{HEARTS["key"]}+=%'
TOKEN = f't"&/{HEARTS["token"]}+=%'
FRESH = f"eyJhbGciOiJub25lIn0.{HEARTS['fresh']}.c2ln"  # a token that the program has never seen
ENVIRONMENT = {"THE_KEY": KEY, "THE_TOKEN": TOKEN}
COMMANDS = [
    ["status"],
    ["status", "--json"],
    ["history", "1"],
    ["deliveries"],
    ["deliveries", "--json"],
    ["check"],
    ["check", "--online"],
    ["test-notify"],
    ["token"],
    ["doctor"],
    ["db", "info"],
    ["healthcheck"],
]
PAGES = ["/", "/healthz", "/readyz", "/metrics", "/api/jobs", "/api/jobs/1", "/api/service", "/nothing"]


def disguises(heart: str) -> Iterator[str]:
    """As it is, and as part of something that is written in base64 (Basic authentication, say) or in hex."""
    yield heart
    yield heart.encode().hex()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + heart.encode()).decode()
        yield encoded[4 if before else 0 : -4]


def leaks(texts: dict[str, str]) -> list[str]:
    """Where which secret stands, and in what company."""
    found = []
    for place, text in texts.items():
        low = text.lower()
        for name, heart in HEARTS.items():
            at = next((low.find(one.lower()) for one in disguises(heart) if one.lower() in low), None)
            if at is not None:
                found.append(f"{name} in {place}: ...{text[max(0, at - 100) : at + 60]!r}")
    return found


def test_search_finds_a_secret_in_every_encoding() -> None:
    basic = base64.b64encode(f"user:{HEARTS['password']}!".encode()).decode()
    quoted = json.dumps({"a": KEY})
    assert [one.partition(" ")[0] for one in leaks({"basic": basic, "json": quoted})] == ["password", "key"]
    assert leaks({"other": "key token password"}) == []


class Echo(Server):
    """A target that refuses, and says back all it was sent."""

    def __init__(self) -> None:
        class EchoHandler(Handler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                said = f"{self.path} {dict(self.headers)}"
                self.send_response(400, f"Bad {self.path}")
                self.send_header("Content-Length", str(len(said.encode())))
                self.end_headers()
                self.wfile.write(said.encode())

        super().__init__(EchoHandler)


def echo(status: int, **headers: str) -> Answer:
    """An answer that says back what it was asked with, in its first line, a header and the body."""

    def write(handler: Handler) -> None:
        said = " ".join(f"{name}: {value}" for name, value in handler.headers.items())
        body = json.dumps({"detail": said, "headers": dict(handler.headers.items())}).encode()
        handler.send_response(status, f"No {said}")
        for name, value in {
            "X-Echo": said,
            "Content-Length": str(len(body)),
            "Connection": "close",
            **headers,
        }.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return Answer(write=write)


def nonsense(handler: Handler) -> None:
    handler.wfile.write(f"HTTP/1.1 200 OK\r\nBad {KEY} Header {TOKEN}\r\n{TOKEN}\r\n\r\n".encode())


ANSWERS: dict[int, Callable[[], Answer]] = {
    2: lambda: echo(404),
    3: lambda: echo(500),
    4: lambda: echo(418),
    5: lambda: Answer(body=f"<html>{KEY} {TOKEN}</html>".encode(), headers={"Content-Type": "text/html"}),
    6: lambda: Answer(status=302, headers={"Location": f"https://{HEARTS['key']}/{TOKEN}?key={KEY}"}),
    7: lambda: Answer(status=302, headers={"Location": f"https://{HEARTS['token']}.example.com/"}),
    8: lambda: echo(200),
    9: lambda: Answer(write=nonsense),
    10: lambda: echo(403),
}
REFUSING = {"refused", "echo", "lost"}
WELL = range(20, 30)  # jobs that are asked for as often as ever


@pytest.fixture
def prepared(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> Iterator[Installation]:
    api = {**installation.document["api"], "key": "${THE_KEY}", "token": {"value": "${THE_TOKEN}"}}
    for job_id in WELL:
        gem.answers(job_id, "IN_PROGRESS")
    with Echo() as refusing:
        dead = free_port()
        targets = {
            "team": {"url": inbox.target_url(HEARTS["hook"])},
            "refused": {"url": f"json://user:{HEARTS['password']}%2F@127.0.0.1:{dead}/{HEARTS['hook']}"},
            "echo": {"url": f"json://user:{HEARTS['password']}%2F@127.0.0.1:{refusing.port}/{HEARTS['hook']}"},
            "lost": {"url": f"json://user:{HEARTS['password']}@gemwatch.invalid/{HEARTS['hook']}"},
        }
        installation.configure(watch=[1, *ANSWERS, *WELL], api=api, notify=targets)
        yield installation


def pages_of(daemon: Daemon, *, when: str) -> dict[str, str]:
    return {f"{page} {when}": daemon.get(page)[1] for page in PAGES}


def texts_of(prepared: Installation, daemon: Daemon, *, when: str) -> dict[str, str]:
    """Everything that anybody can read while the daemon runs."""
    texts = pages_of(daemon, when=when)
    for command in COMMANDS:
        done = prepared.run(*command, **ENVIRONMENT)
        texts[f"{' '.join(command)} {when}"] = done.stdout + done.stderr
    return texts


def files_of(prepared: Installation) -> dict[str, str]:
    found = [*prepared.folder.glob("gemwatch.db*"), prepared.folder / "daemon.log"]
    return {file.name: file.read_bytes().decode(errors="replace") for file in found}


def reasons(daemon: Daemon) -> str:
    return "\n".join(str(line.get("reason")) for line in daemon.log())


def test_no_secret_leaks_while_api_and_targets_fail(prepared: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "SUCCESS")
    for job_id, answer in ANSWERS.items():
        gem.answers(job_id, answer())
    with prepared.daemon(cold=True, **ENVIRONMENT) as daemon:
        wait_until(lambda: all(gem.asked(job_id) >= 2 for job_id in ANSWERS), "every odd answer")
        wait_until(lambda: {row["target"] for row in daemon.logged("delivery_failed")} >= REFUSING)
        texts = pages_of(daemon, when="with odd answers")
        with held(prepared.folder / "gemwatch.db"):
            wait_until(lambda: daemon.get("/healthz")[0] == 503, "the store to fail")
            texts["/healthz of a locked store"] = daemon.get("/healthz")[1]
        for status, headers in ((429, {"Retry-After": "1"}), (429, {"Retry-After": TOKEN}), (401, {})):
            gem.for_all = echo(status, **headers)
            seen = len(gem.requests)
            wait_until(lambda: len(gem.requests) > seen, f"answers with {status}")  # noqa: B023
        wait_until(lambda: daemon.logged("component_failed"), "the login to be refused")
        texts |= texts_of(prepared, daemon, when="with 401")
        texts["arguments"] = Path(f"/proc/{daemon.process.pid}/cmdline").read_text()
        files = files_of(prepared)
        assert daemon.stop() == 0
    assert "redirect" in reasons(daemon)
    assert "\n".join(leaks(texts | files | files_of(prepared))) == ""
    assert inbox.messages[0].path == f"/{HEARTS['hook']}"


def test_no_secret_leaks_without_network_or_token(prepared: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, "IN_PROGRESS")
    api = prepared.document["api"]
    script = prepared.folder / "login.sh"
    words = shlex.quote(f"{KEY} accessToken: {FRESH} Authorization: Bearer {FRESH}")
    script.write_text(f"#!/bin/sh\necho {words}\necho {words} >&2\nexit 1\n")
    script.chmod(0o755)
    with prepared.daemon(**ENVIRONMENT) as daemon, socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        wait_until(lambda: gem.asked(1) >= 1, "the first poll")
        texts: dict[str, str] = {}
        for base_url, reason in (
            (f"http://127.0.0.1:{nobody.getsockname()[1]}", "connection refused"),
            (gem.url.replace("http:", "https:"), "no TLS connection"),
            ("http://gemwatch.invalid", "cannot be resolved"),
        ):
            prepared.configure(api={**api, "base_url": base_url})
            wait_until(lambda: reason in reasons(daemon), reason)  # noqa: B023
            texts |= pages_of(daemon, when=reason)
        prepared.configure(api={**api, "token": {"command": str(script)}})
        wait_until(lambda: daemon.logged("component_failed"), "the login to be refused")
        texts |= texts_of(prepared, daemon, when="with a login that fails")
        assert daemon.stop() == 0
    assert "\n".join(leaks(texts | files_of(prepared))) == ""


MISPLACED: dict[str, dict[str, Any]] = {
    "a key as a watch": {"watch": [1, KEY, {"job": TOKEN}, {"job": 2, "notify": [f"json://{HEARTS['hook']}"]}]},
    "a token as a duration": {"poll": {"every": TOKEN}},
    "a list as the key": {"api": {"key": [KEY], "token": {"value": {"a": TOKEN}}}},
    "a token as a command's only word": {"api": {"key": "${THE_KEY}", "token": TOKEN}},
    "a key with a line break": {"api": {"key": f"{KEY}\n{TOKEN}", "token": {"value": TOKEN}}},
    "a target that is none": {"notify": {"team": {"url": f"nothing-like-it://{HEARTS['odd']}:{HEARTS['slack']}@x"}}},
    "a URL that cannot be read": {"notify": {"team": {"url": f"slack://{HEARTS['slack']}/{HEARTS['odd']}"}}},
    "a URL instead of a target": {"notify": {"team": f"json://127.0.0.1/{HEARTS['hook']}"}},
    "a URL for a number": {"notify": {"team": {"url": f"json://u:{HEARTS['password']}@127.0.0.1:port/x"}}},
    "secrets in the store's place": {"store": {"url": f"postgres://user:{HEARTS['password']}@example.com/x"}},
    "secrets in the API's place": {"api": {"key": "${THE_KEY}", "base_url": f"https://u:{HEARTS['password']}@x"}},
}


def read_so_far(daemon: Daemon) -> int:
    """How many configurations have been taken or refused."""
    return len(daemon.logged("config_refused")) + len(daemon.logged("config_applied"))


def test_no_secret_leaks_from_a_wrong_configuration(prepared: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    gem.answers(1, document(1, "IN_PROGRESS"))
    good = dict(prepared.document)
    texts: dict[str, str] = {}
    with prepared.daemon(**ENVIRONMENT) as daemon:
        for what, sections in MISPLACED.items():
            before = read_so_far(daemon)
            prepared.configure(**{**good, **sections})
            wait_until(lambda: read_so_far(daemon) > before, what)  # noqa: B023
            done = prepared.run("check", **ENVIRONMENT)
            texts[f"check: {what}"] = done.stdout + done.stderr
        texts |= {page: daemon.get(page)[1] for page in PAGES}
        assert daemon.stop() == 0
    said = {message.title: message.body for message in inbox.messages}
    assert "\n".join(leaks(texts | said | files_of(prepared))) == ""
