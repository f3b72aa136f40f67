"""Failures of targets with the whole engine: each target gets each message once, when it can accept it."""

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from aiosmtpd.smtp import SMTP, Envelope, Session
from apprise.plugins.slack import NotifySlack

from gemwatch.core.events import Target
from support.clock import FakeClock
from support.gem import ScriptedGem
from support.http import Handler, Server
from support.inbox import Inbox
from support.mail import MailServer
from support.rig import Rig, running, settings_for

SLACK = "slack://TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """A certificate authority that Apprise trusts for HTTP and for mail."""
    authority = trustme.CA()
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    return authority


def server_side(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    return context


def closed_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def ended(rig: Rig, gem: ScriptedGem, *job_ids: int) -> None:
    """Have these jobs end and be seen."""
    for job_id in job_ids:
        gem.answers(job_id, "SUCCESS")
    await rig.poll()


def about_jobs(inbox: Inbox) -> list[str]:
    """Titles of the messages about jobs: the other target also gets a message about the one that is down."""
    return sorted(title for title in inbox.titles() if not title.startswith("gemwatch: target"))


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 429, 500, 502, 503])
async def test_refusing_target_gets_each_message_after_recovery(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, status: int
) -> None:
    with Inbox() as other:
        inbox.fails_with = status
        targets = [Target(name="team", url=inbox.target_url()), Target(name="mail", url=other.target_url())]
        async with running(settings_for(gem, tmp_path, targets, [1, 2]), clock) as rig:
            await ended(rig, gem, 1, 2)
            await rig.deliver(times=3, after=60)
            assert about_jobs(other) == ["SUCCESS: job 1", "SUCCESS: job 2"]
            assert inbox.refused >= 2
            inbox.fails_with = None
            await rig.deliver(times=3, after=900)
            assert rig.records.deliveries("pending") == []
        assert about_jobs(inbox) == about_jobs(other)


@pytest.mark.parametrize(
    "url", ["json://nowhere.invalid/x", f"json://127.0.0.1:{closed_port()}/x"], ids=["DNS", "refused"]
)
async def test_unreachable_target_delays_no_other(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path, url: str
) -> None:
    targets = [Target(name="gone", url=url), Target(name="team", url=inbox.target_url())]
    async with running(settings_for(gem, tmp_path, targets, [1]), clock) as rig:
        await ended(rig, gem, 1)
        await rig.deliver(times=4, after=900)
        [waiting] = rig.records.deliveries("pending")
        assert waiting["target"] == "gone"
        assert waiting["attempts"] >= 4
        assert waiting["last_error"]
        assert inbox.titles() == ["SUCCESS: job 1", "gemwatch: target gone is down"]


async def test_target_down_for_two_days_gets_everything_once(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    jobs = range(1, 25)
    for job_id in jobs:
        gem.answers(job_id, "IN_PROGRESS")
    with Inbox() as other:
        targets = [Target(name="team", url=inbox.target_url()), Target(name="mail", url=other.target_url())]
        async with running(settings_for(gem, tmp_path, targets, jobs), clock) as rig:
            inbox.fails_with = 503
            for job_id in jobs:  # one in two hours
                await ended(rig, gem, job_id)
                await rig.deliver(times=3, after=2370)
            assert len(about_jobs(other)) == len(jobs)
            inbox.fails_with = None
            await rig.deliver(times=3, after=900)
            rows = rig.records.deliveries()
            assert {row["state"] for row in rows} == {"sent"}
            numbers = {int(row["event"].removeprefix("gw-")) for row in rows if row["kind"] == "success"}
            assert len(numbers) == len(jobs)
    lines = "\n".join(f"{message.title}\n{message.body}" for message in inbox.messages).splitlines()
    assert all(sum(f"gw-{number}" in line.split() for line in lines) == 1 for number in numbers)


class Moody(MailServer):
    """Accepts the greeting, the encryption and the recipient, then fails, this many times."""

    tempers: int = 0
    drops: bool = False

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.tempers:
            self.tempers -= 1
            if self.drops and isinstance(server.transport, asyncio.WriteTransport):
                server.transport.abort()
            return "451 4.3.0 come back later"
        return await super().handle_DATA(server, session, envelope)


@pytest.mark.parametrize("drops", [False, True], ids=["refuses", "drops"])
async def test_mail_server_that_fails_in_mid_session_gets_the_mail(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path, authority: trustme.CA, *, drops: bool
) -> None:
    with Moody(tls=server_side(authority)) as server:
        server.tempers, server.drops = 1, drops
        url = f"mailtos://localhost:{server.port}?from=gemwatch@example.com&to=data@example.com"
        async with running(settings_for(gem, tmp_path, [Target(name="mail", url=url)], [1]), clock) as rig:
            await ended(rig, gem, 1)
            await rig.deliver(times=4, after=60)
            [row] = rig.records.deliveries()
            assert (row["state"], row["attempts"]) == ("sent", 2)
    [letter] = server.letters
    assert letter.secure
    assert b"SUCCESS: job 1" in letter.content


@pytest.fixture
def slack(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, bytes]]]:
    """Slack's answers in order, then `ok`, and the accepted bodies."""
    script: list[tuple[int, bytes]] = []
    taken: list[bytes] = []

    class SlackHandler(Handler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, text = script.pop(0) if script else (200, b"ok")
            if (status, text) == (200, b"ok"):
                taken.append(body)
            self.answer(status, text)

    with Server(SlackHandler, tls=server_side(authority)) as server:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{server.url}/services")
        yield script
    assert [json.loads(body)["attachments"][0]["title"] for body in taken] == ["SUCCESS: job 1"]


async def test_slack_gets_a_message_once_despite_errors(
    gem: ScriptedGem, clock: FakeClock, tmp_path: Path, slack: list[tuple[int, bytes]]
) -> None:
    slack += [(429, b"rate_limited"), (200, b"no_text"), (302, b"")]
    async with running(settings_for(gem, tmp_path, [Target(name="chat", url=SLACK)], [1]), clock) as rig:
        await ended(rig, gem, 1)
        await rig.deliver(times=5, after=300)
        [row] = rig.records.deliveries()
        assert (row["state"], row["attempts"]) == ("sent", 4)
        assert "SECRET" not in (row["last_error"] or "")
