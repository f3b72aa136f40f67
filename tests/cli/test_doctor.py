"""`gemwatch doctor` finds each fault that it names, made on purpose on a real installation."""

import json
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest
import trustme

from gemwatch.adapters.store.tables import service, target_health
from support.daemon import GEMWATCH, Installation, environment
from support.disk import mounted
from support.filled import add
from support.gem import KEY, TOKEN, Answer, ScriptedGem
from support.http import Handler
from support.inbox import Inbox
from support.tokens import jwt
from support.waiting import wait_until

NO_CA = {"SSL_CERT_FILE": "", "REQUESTS_CA_BUNDLE": ""}  # whatever this machine has


@pytest.fixture
def well(installation: Installation, gem: ScriptedGem) -> Installation:
    """An installation without a fault."""
    gem.answers(1, "IN_PROGRESS")
    installation.configure(watch=[1])
    assert installation.run("db", "upgrade").returncode == 0
    return installation


def examined(installation: Installation, *options: str, code: int, **more: str) -> list[dict[str, Any]]:
    """All that is found, by the JSON form; the form for people says the same."""
    installation.config.chmod(0o600)  # it contains secrets, and doctor warns of those that others can read
    done = installation.run("doctor", *options, "--json", **{**NO_CA, **more})
    assert done.returncode == code, done.stdout + done.stderr
    assert KEY not in done.stdout
    assert TOKEN not in done.stdout
    found: list[dict[str, Any]] = json.loads(done.stdout)["checks"]
    assert all(one["remedy"] for one in found if one["state"] != "ok")
    return found


def faults(installation: Installation, *options: str, code: int, **more: str) -> dict[str, tuple[str, str]]:
    """What is not in order: name to state and words."""
    found = examined(installation, *options, code=code, **more)
    return {one["name"]: (one["state"], one["found"]) for one in found if one["state"] != "ok"}


def token_from(installation: Installation, script: str, *arguments: str) -> None:
    """Have the token from a program called az."""
    az = installation.folder / "az"
    az.write_text(f"#!/bin/sh\n{script}\n")
    az.chmod(0o755)
    installation.configure(api={**installation.document["api"], "token": {"command": [str(az), *arguments]}})


def test_doctor_without_findings_exits_with_0(well: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    before = sorted(file.name for file in well.folder.iterdir() if not file.name.endswith(("-wal", "-shm")))
    found = {one["name"]: one["found"] for one in examined(well, code=0)}
    assert found["watch list"] == "jobs: 1"
    assert found["clock"] == "agrees with the API's"
    assert found["key and token"] == "job 1 is IN_PROGRESS"
    assert found["daemon"] == "none uses this store"
    assert found["web"] == f"127.0.0.1:{well.port} is free"
    assert found["SQLite"].startswith(sqlite3.sqlite_version)
    assert {"configuration", "mounted file", "store folder", "disk", "store", "time zone", "login", "API"} <= set(
        found
    )
    assert inbox.messages == []
    first, second = gem.requests
    assert "tomtom-api-key" not in first.headers
    assert "authorization" not in first.headers
    assert second.job_id == 1
    assert sorted(file.name for file in well.folder.iterdir() if not file.name.endswith(("-wal", "-shm"))) == before


def test_pipe_gets_one_record_per_finding(well: Installation) -> None:
    well.configure(watch=[])
    done = well.run("doctor", PYTHONIOENCODING="utf-8", **NO_CA)
    assert done.returncode == 0
    header, *lines = (line.split("\t") for line in done.stdout.splitlines())
    assert header == ["State", "Check", "Found", "Remedy"]
    assert {tuple(line[:2]) for line in lines} >= {("ok", "store"), ("warning", "watch list")}
    remedy = f"Add one: gemwatch --config {well.config} watch JOB_ID"
    assert ["warning", "watch list", "it is empty: no job is watched", remedy] in lines
    assert all(len(line) == 4 for line in lines)
    assert "\x1b" not in done.stdout
    assert well.run("doctor", PYTHONIOENCODING="ascii", **NO_CA).stdout.isascii()


def test_doctor_recognises_a_running_daemon_and_its_port(well: Installation) -> None:
    with well.daemon() as daemon:
        found = {one["name"]: one["found"] for one in examined(well, code=0)}
        assert found["daemon"] == f"runs as process {daemon.process.pid}"
        assert found["web"] == f"the daemon serves 127.0.0.1:{well.port}"
        assert daemon.stop() == 0


def test_doctor_reports_every_mistake_and_checks_the_rest(well: Installation) -> None:
    well.configure(poll={"every": "1 s"}, notify={"team": {"url": "slack://SECRETtoken"}})
    found = examined(well, code=2)
    words = [one["found"] for one in found if one["name"] == "configuration"]
    assert len(words) == 2
    assert any("poll.every" in word for word in words)
    assert any("notify.team.url: it is not a slack:// URL" in word for word in words)
    assert "SECRET" not in str(found)
    assert {"store", "proxies"} <= {one["name"] for one in found}


def test_doctor_reports_skipped_entries(well: Installation) -> None:
    well.configure(watch=[1, {"job": 2, "nmae": "x"}])
    state, words = faults(well, code=1)["watch list"]
    assert state == "problem"
    assert "skipped: " in words
    assert 'unknown key "nmae"' in words


def test_doctor_reports_a_configuration_mounted_as_a_file(well: Installation) -> None:
    outside = well.folder / "outside.yaml"
    shutil.copy(well.config, outside)
    done = subprocess.run(["mount", "--bind", outside, well.config], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a mount of its own, as root: {done.stderr.strip()}")
    try:
        assert faults(well, code=0)["mounted file"][0] == "warning"
        shutil.copy(outside, well.folder / "edited.yaml")
        (well.folder / "edited.yaml").replace(outside)
        state, words = faults(well, code=1)["mounted file"]
        assert state == "problem"
        assert "gemwatch reads the old one" in words
    finally:
        subprocess.run(["umount", "--lazy", well.config], check=True)


def test_doctor_reports_an_unwritable_store_folder(well: Installation) -> None:
    (well.folder / "a-file").write_text("")
    well.configure(store={"url": "sqlite:///a-file/gemwatch.db"})
    state, words = faults(well, code=1)["store folder"]
    assert state == "problem"
    assert "not a directory" in words
    with mounted(well.folder / "locked", "-t", "tmpfs", "-o", "ro", "gemwatch-test"):
        well.configure(store={"url": "sqlite:///locked/gemwatch.db"})
        state, words = faults(well, code=1)["store folder"]
    assert state == "problem"
    assert "read-only file system" in words


def test_doctor_reports_an_unwritable_store(well: Installation) -> None:
    without = ["setpriv", "--bounding-set=-dac_override", "--"]  # root minus what lets it write everywhere
    if os.geteuid() == 0 and (
        not shutil.which("setpriv") or subprocess.run([*without, "true"], check=False).returncode
    ):
        pytest.skip("root can write everything, and setpriv does not make it an ordinary user here")
    (well.folder / "gemwatch.db").chmod(0o444)
    done = subprocess.run(
        [*(without if os.geteuid() == 0 else ()), *GEMWATCH, "doctor", "--offline", "--config", str(well.config)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(PYTHONIOENCODING="utf-8", **NO_CA),
    )
    assert done.returncode == 1, done.stderr
    assert (
        f"problem\tstore\t{well.folder}/gemwatch.db is yours, but its mode 0444 does not let you write it"
        in done.stdout
    )
    assert f"chmod u+rw {well.folder}/gemwatch.db" in done.stdout


def test_doctor_reports_a_nearly_full_disk(well: Installation) -> None:
    with mounted(well.folder / "small", "-t", "tmpfs", "-o", "size=8m", "gemwatch-test"):
        well.configure(store={"url": "sqlite:///small/gemwatch.db"})
        state, words = faults(well, code=0)["disk"]
    assert state == "warning"
    assert words.startswith("8 MiB are free")


@pytest.mark.parametrize(("revision", "state", "code"), [("9999", "problem", 1), (None, "warning", 0)])
def test_doctor_reports_a_store_with_another_schema(
    well: Installation, revision: str | None, state: str, code: int
) -> None:
    with closing(sqlite3.connect(well.folder / "gemwatch.db")) as connection, connection:
        connection.execute("DELETE FROM alembic_version")
        if revision is not None:
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    told, words = faults(well, code=code)["store"]
    assert told == state
    assert f"has schema {revision or 'none'}" in words


def test_doctor_reports_a_damaged_store(well: Installation) -> None:
    store = well.folder / "gemwatch.db"
    with store.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)
    state, words = faults(well, code=1)["store"]
    assert state == "problem"
    assert "damaged" in words or "malformed" in words
    store.write_text("this is not a database, whatever its name says. " * 40)
    assert "file is not a database" in faults(well, code=1)["store"][1]


def test_doctor_reports_a_missing_az(well: Installation) -> None:
    del well.document["api"]["token"]
    well.configure()
    found = faults(well, code=1, PATH="/nowhere")
    assert found["token command"] == ("problem", "there is no program az on the PATH")
    assert found["key and token"][0] == "warning"
    assert "login" not in found
    assert set(faults(well, "--offline", code=1, PATH="/nowhere")) == {"token command"}


def test_doctor_reports_a_logged_out_az(well: Installation) -> None:
    token_from(well, "echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    (one,) = (one for one in examined(well, code=1) if one["name"] == "login")
    assert one["state"] == "problem"
    assert one["found"].endswith("Please run 'az login' to setup account\"")
    assert f"As user {getuser()}, run:\n  az login " in one["remedy"]
    assert one["remedy"].endswith(f"Then check it:\n  gemwatch --config {well.config} token")


@pytest.mark.parametrize(
    ("words", "found", "remedy"),
    [
        ("ERROR: No subscriptions found for a@example.com.", "no Azure subscription", "--allow-no-subscriptions"),
        ("ERROR: AADSTS70043: too old. Trace ID: 1", "new sign-in after a set time", "az login --scope S"),
        ("ERROR: AADSTS1002012: bad scope.", "as an application", "AZURE_CONFIG_DIR"),
        ("ERROR: AADSTS700024: expired.", "federated token", "--federated-token"),
        ("ERROR: AADSTS53003: blocked.", "Conditional Access", "administrator"),
        ("token cache is locked", "token cache is locked", "az login"),
    ],
)
def test_doctor_explains_why_az_gives_no_token(well: Installation, words: str, found: str, remedy: str) -> None:
    token_from(well, f"echo '{words}' >&2; exit 1", "--scope", "S")
    (one,) = (one for one in examined(well, code=1) if one["name"] == "login")
    assert one["state"] == "problem"
    assert found in one["found"]
    assert "Trace" not in one["found"]
    assert remedy in one["remedy"]


def test_doctor_finds_a_login_as_an_application(well: Installation) -> None:
    token_from(well, f"echo {jwt(idtyp='app')}")
    (one,) = (one for one in examined(well, code=0) if one["name"] == "login")
    assert one["state"] == "warning"
    assert "as an application" in one["found"]
    assert "AZURE_CONFIG_DIR" in one["remedy"]


def test_doctor_names_the_likely_culprit_of_a_refusal(well: Installation, gem: ScriptedGem) -> None:
    gem.for_all = Answer(status=403, body=b'{"message": "not authorized for the product: Orbis GEM API"}')
    (one,) = (one for one in examined(well, code=1) if one["name"] == "key and token")
    assert one["found"] == 'HTTP 403 Forbidden: "not authorized for the product: Orbis GEM API"'
    assert "Orbis Private Data Gateway API" in one["remedy"]
    gem.for_all = Answer(status=403, body=b"<h1>Developer Over Qps</h1>")
    (one,) = (one for one in examined(well, code=0) if one["name"] == "key and token")
    assert one["state"] == "warning"
    assert "api.max_rate" in one["remedy"]
    gem.for_all = Answer(body=b"<html>Please sign in</html>")
    (one,) = (one for one in examined(well, code=1) if one["name"] == "key and token")
    assert "in a form that gemwatch does not understand" in one["found"]


def test_doctor_shows_when_the_token_expires(well: Installation) -> None:
    def lasting(seconds: int) -> None:
        token_from(
            well, f'echo "{{\\"accessToken\\": \\"{TOKEN}\\", \\"expires_on\\": $(($(date +%s) + {seconds}))}}"'
        )

    lasting(3630)
    (words,) = (one["found"] for one in examined(well, code=0) if one["name"] == "login")
    assert "(for 1 h)" in words
    lasting(90)
    assert faults(well, code=0)["login"][0] == "warning"


def test_doctor_reports_an_unreachable_api(well: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = taken.getsockname()[1]
        well.configure(api={**well.document["api"], "base_url": f"http://127.0.0.1:{port}"})
        found = faults(well, code=1)
    assert found["API"] == ("problem", f"no connection to 127.0.0.1:{port}: connection refused")
    assert found["key and token"][0] == "problem"


def test_doctor_reports_an_api_that_is_down(well: Installation, gem: ScriptedGem) -> None:
    gem.for_all = Answer(status=503)
    assert faults(well, code=1)["key and token"] == ("problem", "HTTP 503 Service Unavailable")
    gem.for_all = Answer(status=429)
    assert faults(well, code=0)["key and token"][0] == "warning"


def test_doctor_reports_a_refused_key_or_token(well: Installation, gem: ScriptedGem) -> None:
    gem.accepted_tokens = {"another"}
    state, words = faults(well, code=1)["key and token"]
    assert state == "problem"
    assert words.startswith("HTTP 401 Unauthorized")


def test_doctor_reports_an_untrusted_certificate(well: Installation, tmp_path: Path) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with ScriptedGem(tls=tls) as gem:
        gem.answers(1, "IN_PROGRESS")
        well.configure(api={**well.document["api"], "base_url": gem.url})
        (one,) = (one for one in examined(well, code=1) if one["state"] == "problem")
        assert one["name"] == "TLS"
        assert "SSL_CERT_FILE" in one["remedy"]
        assert "REQUESTS_CA_BUNDLE" in one["remedy"]
        trusted = str(tmp_path / "ca.pem")
        assert faults(well, code=0, SSL_CERT_FILE=trusted, REQUESTS_CA_BUNDLE=trusted) == {}
        half = faults(well, code=0, SSL_CERT_FILE=trusted)
        assert half == {"CA file": ("warning", "SSL_CERT_FILE is set and REQUESTS_CA_BUNDLE is not")}
    missing = str(tmp_path / "missing.pem")
    found = faults(well, "--offline", code=1, SSL_CERT_FILE=missing, REQUESTS_CA_BUNDLE=missing)
    assert found["CA file"] == ("problem", f"REQUESTS_CA_BUNDLE={missing}: no such file or directory")


@pytest.mark.parametrize(("minutes", "words"), [(10, "behind"), (-10, "ahead of")])
def test_doctor_reports_a_wrong_clock(well: Installation, gem: ScriptedGem, minutes: int, words: str) -> None:
    there = format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)

    def answer(handler: Handler) -> None:
        handler.wfile.write(f"HTTP/1.1 404 Not Found\r\nDate: {there}\r\nContent-Length: 0\r\n\r\n".encode())

    gem.for_all = Answer(write=answer)
    state, found = faults(well, code=0)["clock"]
    assert state == "warning"
    assert f" s {words} the API's" in found


def test_doctor_reports_a_port_in_use_by_another_program(well: Installation, gem: ScriptedGem) -> None:
    well.configure(web={"listen": f"127.0.0.1:{gem.port}"})
    state, words = faults(well, "--offline", code=1)["web"]
    assert (state, words) == ("problem", f"127.0.0.1:{gem.port} is in use by another program")


def test_doctor_reports_a_port_in_use_by_another_gemwatch(well: Installation) -> None:
    with well.daemon() as daemon:
        well.configure(store={"url": "sqlite:///another.db"})
        state, words = faults(well, "--offline", code=1)["web"]
        assert daemon.stop() == 0
    assert state == "problem"
    assert words.endswith("it is a gemwatch with another store")


def test_doctor_warns_of_unusable_targets(well: Installation) -> None:
    two = "mailto://user:SECRETword@example.com?to=a@example.com,b@example.com"
    lost = "json://user:SECRETword@no-such-host.invalid/SECRETpath"
    well.configure(notify={"mail": {"url": two}, "hook": {"url": lost}})
    found = faults(well, code=0)
    assert found["target mail"][1].startswith("it has 2 recipients")
    assert found["target hook"] == ("warning", "the name no-such-host.invalid cannot be resolved here")
    assert set(faults(well, "--offline", code=0)) == {"target mail"}
    assert "SECRET" not in str(examined(well, code=0))
    well.configure(notify={})
    assert set(faults(well, code=0)) == {"targets"}


def test_doctor_names_the_successor_of_a_retired_service(well: Installation) -> None:
    well.configure(notify={"teams": {"url": "msteams://SECRET/SECRET/SECRET/SECRET"}})
    (found,) = (one for one in examined(well, "--offline", code=2) if one["state"] == "problem")
    assert "Office 365 connectors are retired" in found["found"]
    assert "workflows://" in found["found"]
    assert "SECRET" not in str(found)


def test_doctor_shows_proxies_and_certificates(well: Installation) -> None:
    proxies = {"HTTPS_PROXY": "http://user:SECRETword@proxy.example:3128", "NO_PROXY": "127.0.0.1"}
    found = examined(well, code=0, TZ="Europe/Nowhere", **proxies)
    words = {one["name"]: one["found"] for one in found}
    assert words["proxies"] == "https by way of http://proxy.example:3128"
    assert "SECRET" not in str(found)
    assert words["time zone"].startswith("TZ=Europe/Nowhere names no zone")
    (zone,) = (one["found"] for one in examined(well, code=0, TZ="Asia/Kolkata") if one["name"] == "time zone")
    assert zone == "IST (UTC+05:30); for the daemon TZ=UTC is best"


def test_credentials_of_a_stopped_unit_are_not_a_mistake(well: Installation) -> None:
    place = "${file:/run/credentials/gemwatch-test.service/secret_key}"
    well.configure(api={**well.document["api"], "key": place})
    found = examined(well, "--offline", code=2)
    (unit,) = (one for one in found if one["name"] == "unit")
    assert "exists only while gemwatch-test.service runs, and it does not run" in unit["found"]
    assert unit["remedy"] == "Run:\n  journalctl -u gemwatch-test -n 20"
    assert [one for one in found if one["name"] == "configuration"] == []
    done = well.run("check")
    assert done.returncode == 1
    assert "\n  journalctl -u gemwatch-test -n 20\n" in done.stderr
    assert "refused" not in done.stderr
    well.configure(poll={"every": "1 s"})
    done = well.run("check")
    assert done.returncode == 2
    assert "refused (1 mistake)" in done.stderr


def test_instance_and_versions_are_named(well: Installation) -> None:
    well.configure(name="gis-test")
    found = {one["name"]: one["found"] for one in examined(well, "--offline", code=0)}
    assert found["instance"].startswith("gis-test: gemwatch ")
    assert "Python 3." in found["instance"]


def test_configuration_that_the_daemon_refused_is_reported(well: Installation) -> None:
    with well.daemon() as daemon:
        well.configure(poll={"every": "1 s"})
        wait_until(lambda: well.json("status")["service"]["config"] == "refused", "the refusal")
        found = examined(well, "--offline", code=2)
        assert any(one["name"] == "daemon" and "keeps the last good configuration" in one["found"] for one in found)
        assert "The saved configuration has mistakes" in well.run("status").stderr
        assert daemon.stop() == 0


def test_target_that_the_daemon_found_down_is_reported(well: Installation) -> None:
    place = well.folder / "gemwatch.db"
    at = datetime.now(UTC)
    down = {"target": "team", "failing_since": at, "down_since": at, "reason": "HTTP 404: no_service"}
    add(place, (target_health, [{**down, "probes": 1, "announced": True}]))
    with well.daemon() as daemon:
        wait_until(lambda: well.json("status")["jobs"][0]["status"] == "IN_PROGRESS", "the first poll")
        found = examined(well, "--offline", code=1)
        (target,) = (one for one in found if one["state"] == "problem")
        assert target["name"] == "target team"
        assert "HTTP 404: no_service" in target["found"]
        assert daemon.stop() == 0


def test_pages_of_lists_that_the_daemon_noted_are_shown(well: Installation) -> None:
    place = well.folder / "gemwatch.db"
    hints = {"next": "a link", "total": "240"}
    noted = {"ROAD_MATCHING": hints, "LANE_LEVEL_MATCHING": {**hints, "incomplete": "HTTP 500"}}
    add(place, (service, [{"name": "list_hints", "value": noted}]))
    with well.daemon() as daemon:
        wait_until(lambda: well.json("status")["jobs"][0]["status"] == "IN_PROGRESS", "the first poll")
        lists = [one for one in examined(well, "--offline", code=0) if one["name"] == "lists"]
        assert [one["state"] for one in lists] == ["ok", "warning"]
        assert "next (a link), total (240)" in lists[0]["found"]
        assert "HTTP 500" in lists[1]["found"]
        assert daemon.stop() == 0


def test_warning_about_the_configuration_says_so_once(well: Installation) -> None:
    well.config.chmod(0o644)
    lines = [line.split("\t") for line in well.run("doctor", "--offline").stdout.splitlines()]
    found = [(line[0], line[2]) for line in lines if line[1] == "configuration" and "secret" in line[2]]
    assert {state for state, _ in found} == {"warning"}
    assert not [what for _, what in found if "warning:" in what]
