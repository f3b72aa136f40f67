"""Failures of the API with the whole engine: they change no status, send nothing, and delay no other job."""

import json
import resource
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from gemwatch.core.events import Target
from gemwatch.core.settings import Settings
from support.asking import endless, raw
from support.clock import FakeClock
from support.gem import KEY, TOKEN, Answer, ScriptedGem, document
from support.inbox import Inbox
from support.rig import running, settings_for

OTHERS = (2, 3, 4)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ENDED = json.dumps(document(1, "SUCCESS")).encode()
never = threading.Event()


def ok(body: bytes) -> Answer:
    return Answer(body=body, headers={"Content-Type": "application/json"})


FAULTS: dict[str, Callable[[], Answer]] = {
    "hangs": lambda: Answer(hold=never),
    "drips its head": lambda: endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.02),
    "drips its body": lambda: endless(HEAD + b"Content-Length: 99999\r\n\r\n", b" ", 0.02),
    "says 1 GiB": lambda: endless(HEAD + b"Content-Length: 1073741824\r\n\r\n", bytes(1 << 16)),
    "never ends": lambda: endless(HEAD + b"\r\n", bytes(1 << 16)),
    "never ends a chunk": lambda: endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n40000000\r\n", bytes(1 << 16)),
    "is cut off": lambda: raw(HEAD + b"Content-Length: %d\r\n\r\n" % len(ENDED), ENDED[:-20]),
    "is longer than it says": lambda: raw(HEAD + b"Content-Length: %d\r\n\r\n" % (len(ENDED) - 9), ENDED),
    "has two lengths": lambda: raw(HEAD + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n", ENDED),
    "closes at once": raw,
    "speaks no HTTP": lambda: raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "is HTML": lambda: Answer(body=b"<html>SUCCESS</html>", headers={"Content-Type": "text/html"}),
    "is another job": lambda: ok(json.dumps(document(99, "SUCCESS")).encode()),
    "is null": lambda: ok(b"null"),
    "is a list": lambda: ok(b"[" + ENDED + b"]"),
    "has no status": lambda: ok(json.dumps({**document(1, "SUCCESS"), "status": None}).encode()),
    "has a status of another type": lambda: ok(json.dumps({**document(1, ""), "status": ["SUCCESS"]}).encode()),
    "has half a character as status": lambda: ok(json.dumps({**document(1, ""), "status": "\ud800"}).encode()),
    "is deep": lambda: ok(b'{"job_id":1,"status":"SUCCESS","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "has a number without end": lambda: ok(b'{"job_id":1' + b"0" * 100_000 + b',"status":"SUCCESS"}'),
    "is not UTF-8": lambda: ok(ENDED[:-1] + b',"x":"\xff\xfe"}'),
    "is UTF-16": lambda: ok(ENDED.decode().encode("utf-16")),
    "is empty": lambda: ok(b""),
    "is 204": lambda: Answer(status=204),
    "is 500": lambda: Answer(status=500, body=ENDED),
    "is 418": lambda: Answer(status=418, body=ENDED),
}


@pytest.fixture
def settings(gem: ScriptedGem, inbox: Inbox, tmp_path: Path) -> Settings:
    targets = [Target(name="team", url=inbox.target_url())]
    found = settings_for(gem, tmp_path, targets, (1, *OTHERS))
    return replace(found, api=replace(found.api, timeout=timedelta(seconds=0.3)))


@pytest.fixture(autouse=True)
def release() -> Iterator[None]:
    never.clear()
    yield
    never.set()


@pytest.mark.parametrize("fault", FAULTS)
async def test_invalid_answer_changes_and_delays_nothing(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, settings: Settings, fault: str
) -> None:
    for job_id in (1, *OTHERS):
        gem.answers(job_id, "IN_PROGRESS")
    async with running(settings, clock) as rig:
        await rig.poll()
        gem.answers(1, FAULTS[fault]())
        before = {job_id: gem.asked(job_id) for job_id in OTHERS}
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        await rig.poll(times=2)
        await rig.deliver()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 64 * 1024
        assert all(gem.asked(job_id) >= times + 2 for job_id, times in before.items())
        assert [row["to"] for row in rig.records.history(1)] == ["IN_PROGRESS"]
        assert inbox.titles() == []
        gem.answers(1, "SUCCESS")
        await rig.poll(times=2, after=timedelta(minutes=5))
        await rig.deliver()
        assert inbox.titles() == ["SUCCESS: job 1"]
        assert [row["to"] for row in rig.records.history(1)] == ["IN_PROGRESS", "SUCCESS"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_takes_no_secrets_to_another_host(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, settings: Settings, status: int
) -> None:
    with ScriptedGem() as other:
        other.answers(1, "SUCCESS")
        gem.answers(1, Answer(status=status, headers={"Location": f"{other.url}/jobs/1"}))
        async with running(settings, clock) as rig:
            await rig.poll(times=3)
            assert rig.records.history(1) == []
        assert other.requests == []


async def test_flapping_api_is_observed_and_sends_no_event(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, settings: Settings
) -> None:
    down = [Answer(status=503), FAULTS["is HTML"](), Answer(status=404), raw()]
    gem.answers(1, *(step for fault in down for step in (fault, "IN_PROGRESS")), "SUCCESS")
    for job_id in OTHERS:
        gem.answers(job_id, *(step for fault in down for step in (fault, "REQUESTED")))
    async with running(settings, clock) as rig:
        await rig.poll(times=12)
        await rig.deliver()
        assert [row["to"] for row in rig.records.history(1)] == ["IN_PROGRESS", "SUCCESS"]
        assert inbox.titles() == ["SUCCESS: job 1"]


async def test_hours_of_401_are_two_messages_and_a_probe_per_minute(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, settings: Settings
) -> None:
    for job_id in (1, *OTHERS):
        gem.answers(job_id, "IN_PROGRESS")
    async with running(settings, clock) as rig:
        await rig.poll()
        gem.for_all = Answer(status=401)
        begun, asked = clock.now(), len(gem.requests)
        await rig.poll(times=90, after=timedelta(minutes=4, seconds=1))
        minutes = (clock.now() - begun) / timedelta(minutes=1)
        assert minutes > 6 * 60
        assert len(gem.requests) - asked <= minutes + 2 * len((1, *OTHERS))
        gem.for_all = None
        await rig.poll(times=4)
        await rig.deliver(times=2)
        assert {row["to"] for row in rig.records.history()} == {"IN_PROGRESS"}
    assert inbox.titles() == ["gemwatch: login refused", "gemwatch: login recovered"]


def _expired(ca: trustme.CA) -> trustme.LeafCert:
    return ca.issue_cert("127.0.0.1", not_after=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("how", ["self-signed", "expired", "of another host"])
async def test_bad_certificate_gets_no_secret_and_is_an_api_failure(
    inbox: Inbox, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    ca = trustme.CA()
    cert = {
        "self-signed": trustme.CA().issue_cert,
        "expired": lambda _: _expired(ca),
        "of another host": ca.issue_cert,
    }
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    cert[how]("127.0.0.1" if how == "self-signed" else "example.com").configure_cert(context)
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with ScriptedGem(tls=context) as gem:
        gem.answers(1, "SUCCESS")
        async with running(
            settings_for(gem, tmp_path, [Target(name="team", url=inbox.target_url())], [1]), clock
        ) as rig:
            await rig.poll(times=5, after=timedelta(minutes=5))
            await rig.deliver()
            assert rig.records.history() == []
            assert "certificate" in rig.records.status()["jobs"][0]["last_error"]
        assert gem.requests == []
    assert inbox.titles() == ["gemwatch: the GEM API does not answer"]


async def test_host_without_an_address_is_an_api_failure(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, settings: Settings
) -> None:
    lost = replace(settings, api=replace(settings.api, base_url="http://gem.invalid", key=KEY))
    async with running(lost, clock) as rig:
        await rig.poll(times=5, after=timedelta(minutes=5))
        await rig.deliver()
        assert rig.records.history() == []
        assert TOKEN not in rig.records.status()["jobs"][0]["last_error"]
    assert inbox.titles() == ["gemwatch: the GEM API does not answer"]
