"""Real sends over real connections: what arrives, and what is said when nothing does."""

import asyncio
import email
import email.policy
import json
import logging
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
import trustme
from apprise.plugins.slack import NotifySlack

from gemwatch.adapters.notify.targets import Targets
from gemwatch.core.events import Event, EventKind, Target, Tone
from gemwatch.core.secrets import Secrets
from gemwatch.core.text.message import Message, compose
from gemwatch.core.work import NotSent, Outcome, Sent
from support.gem import document
from support.http import Handler, Server
from support.inbox import Inbox
from support.mail import MailServer
from support.waiting import until

AT = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)
HELLO = Message(title="SUCCESS: job 7", body="Result: seven.parquet\n\ngw-1")
HOSTILE = "<!channel> *x* <https://evil.example|click> \r\nBcc: a@example.com"
SLACK = "slack://TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC"
Build = Callable[..., Targets]


@pytest.fixture
def build() -> Iterator[Build]:
    """`build(team=url)`: targets that are closed at the end."""
    made: list[Targets] = []

    def targets(**urls: str) -> Targets:
        made.append(Targets((Target(name=name, url=url) for name, url in urls.items()), Secrets()))
        return made[-1]

    yield targets
    for one in made:
        one.close()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as server:
        server.hold = threading.Event()
        server.hold.set()
        yield server
        server.hold.set()


@dataclass
class Slack:
    """Slack's side of the wire."""

    status: int = 200
    body: bytes = b"ok"
    posts: list[tuple[str, bytes]] = field(default_factory=list)


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slack]:
    told = Slack()

    class SlackHandler(Handler):
        def do_POST(self) -> None:
            told.posts.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.answer(told.status, told.body)

    with Server(SlackHandler) as server:
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{server.url}/services")
        yield told


def hostile_event() -> Event:
    facts = {"name": HOSTILE, "document": json.dumps(document(7, "SUCCESS", input_filename=HOSTILE))}
    return Event(kind=EventKind.SUCCESS, at=AT, job_id=7, facts=facts)


def reason(outcome: Outcome) -> str:
    assert isinstance(outcome, NotSent)
    assert outcome.reason == " ".join(outcome.reason.split())
    assert 0 < len(outcome.reason) <= 300
    return outcome.reason


async def test_a_message_arrives(build: Build, inbox: Inbox) -> None:
    assert await build(team=inbox.target_url()).send("team", HELLO) == Sent()
    assert [(m.title, m.body) for m in inbox.messages] == [(HELLO.title, HELLO.body)]


async def test_a_message_that_no_encoding_holds_arrives_with_a_mark(build: Build, inbox: Inbox) -> None:
    message = Message(title="\ud800", body="half a \udfff pair")
    assert await build(team=inbox.target_url()).send("team", message) == Sent()
    assert [(m.title, m.body) for m in inbox.messages] == [("?", "half a ? pair")]


async def test_escapes_templates_and_emoji_names_arrive_as_they_are(build: Build, inbox: Inbox) -> None:
    body = r"100 % %s %(x)s {{app_body}} {0} \n \x41 :smile:"
    assert await build(team=inbox.target_url() + "?emojis=yes").send("team", Message(title="t", body=body)) == Sent()
    assert inbox.messages[0].body == body


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "JSON answered 400 Bad Request: no"),
        (404, "JSON answered 404 Not Found: no"),
        (429, "JSON answered 429 Too Many Requests: no"),
        (500, "JSON answered 500 Internal Server Error: no"),
        (503, "JSON answered 503 Service Unavailable: no"),
        (302, "JSON answered 302 Found: no"),
    ],
)
async def test_an_answer_other_than_yes_is_told_with_its_words(
    build: Build, inbox: Inbox, status: int, words: str
) -> None:
    inbox.fails_with = status
    assert await build(team=inbox.target_url()).send("team", HELLO) == NotSent(reason=words)
    assert inbox.refused == 1


async def test_a_target_that_is_not_there_is_named_by_host_and_port(build: Build) -> None:
    with Inbox() as gone:
        url = gone.target_url()
    assert await build(team=url).send("team", HELLO) == NotSent(reason=f"connection refused by 127.0.0.1:{gone.port}")


async def test_a_connection_that_breaks_off_leaves_the_outcome_unknown(build: Build) -> None:
    class Rude(Handler):
        def do_POST(self) -> None:
            self.close_connection = True

    with Server(Rude) as server:
        outcome = await build(team=f"json://127.0.0.1:{server.port}/hook").send("team", HELLO)
    assert outcome == NotSent(reason="JSON broke the connection off; it may have arrived", unknown=True)


async def test_no_answer_in_time_leaves_the_outcome_unknown_and_the_next_message_goes_out(
    build: Build, inbox: Inbox
) -> None:
    assert inbox.hold is not None
    targets = build(team=inbox.target_url())
    inbox.hold.clear()
    outcome = await targets.send("team", HELLO, limit=0.05)
    assert outcome == NotSent(reason="no answer within 0.05 s; it may have arrived", unknown=True)
    inbox.hold.set()
    assert await targets.send("team", Message(title="second", body="b")) == Sent()
    await until(lambda: sorted(inbox.titles()) == ["SUCCESS: job 7", "second"], "both messages")


async def test_only_so_many_sends_may_hang_and_then_it_says_so_at_once(build: Build, inbox: Inbox) -> None:
    assert inbox.hold is not None
    targets = build(team=inbox.target_url())
    inbox.hold.clear()
    for _ in range(4):
        assert isinstance(await targets.send("team", HELLO, limit=0.01), NotSent)
    assert await targets.send("team", HELLO) == NotSent(reason="4 earlier messages still wait for an answer")
    inbox.hold.set()
    await until(lambda: len(inbox.messages) == 4, "the hanging sends")
    await until(lambda: not hanging_threads(), "their threads")
    assert await targets.send("team", HELLO) == Sent()


def hanging_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "target team"]


async def test_a_slow_target_delays_no_other(build: Build, inbox: Inbox) -> None:
    assert inbox.hold is not None
    with Inbox() as quick:
        targets = build(slow=inbox.target_url(), quick=quick.target_url())
        inbox.hold.clear()
        slow = asyncio.create_task(targets.send("slow", HELLO))
        assert await targets.send("quick", HELLO) == Sent()
        assert not slow.done()
        inbox.hold.set()
        assert await slow == Sent()


async def test_a_cancelled_send_leaves_a_target_that_still_sends(build: Build, inbox: Inbox) -> None:
    assert inbox.hold is not None
    targets = build(team=inbox.target_url())
    inbox.hold.clear()
    sending = asyncio.create_task(targets.send("team", HELLO))
    await until(hanging_threads, "the send")
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    inbox.hold.set()
    assert await targets.send("team", HELLO) == Sent()


async def test_targets_of_a_new_configuration_go_on_with_the_thread_they_have(build: Build, inbox: Inbox) -> None:
    old = build(team=inbox.target_url("team"), gone=inbox.target_url("gone"), moved=inbox.target_url("before"))
    assert await old.send("team", HELLO) == Sent()
    thread = hanging_threads()
    new = old.replaced(
        [Target(name="team", url=inbox.target_url("team")), Target(name="moved", url=inbox.target_url("after"))]
    )
    old.close()
    assert new.names == ("team", "moved")
    assert await new.send("team", HELLO) == Sent()
    assert hanging_threads() == thread
    assert await new.send("moved", HELLO) == Sent()
    assert inbox.titles("after") == [HELLO.title]
    assert inbox.titles("before") == []
    assert await old.send("team", HELLO) == Sent()  # a message that was being made when the configuration changed
    assert await old.send("gone", HELLO) == NotSent(reason="the target was taken out of the configuration")
    assert await new.send("gone", HELLO) == NotSent(reason="the configuration has no target of this name")
    new.close()
    new.close()
    await until(lambda: not hanging_threads(), "the thread's end")


async def test_a_bad_url_among_new_targets_touches_none_that_run(build: Build, inbox: Inbox) -> None:
    targets = build(team=inbox.target_url())
    with pytest.raises(ValueError, match=r"^target chat: it is not a slack:// URL in a form that Apprise reads"):
        targets.replaced([Target(name="team", url=inbox.target_url()), Target(name="chat", url="slack://nonsense")])
    assert await targets.send("team", HELLO) == Sent()
    targets.close()
    assert await targets.send("team", HELLO) == NotSent(reason="the target was taken out of the configuration")


def test_the_room_for_a_body_is_what_the_service_takes_beside_a_title(build: Build) -> None:
    targets = build(
        slack=SLACK,
        mail="mailto://mail.example.com?from=a@example.com&to=b@example.com",
        discord="discord://1234567890/abcdefghijklmnop",
        telegram="tgram://123456789:abcdefghijklmnopqrstuvwxyz/42",
        sms="bulksms://user:password@+12015550123",
    )
    limits = {name: targets.body_limit(name) for name in targets.names}
    assert limits == {"slack": 35000, "mail": 32768, "discord": 1858, "telegram": 2965, "sms": 20}


async def test_slack_gets_plain_text_in_which_nothing_acts(build: Build, slack: Slack) -> None:
    message = compose(4711, hostile_event(), now=AT)
    assert await build(chat=SLACK).send("chat", message) == Sent()
    [(path, post)] = slack.posts
    assert path == "/services/TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC"
    sent = json.loads(post)
    [attachment] = sent["attachments"]
    assert set(sent) == {"mrkdwn", "attachments"}  # no icon from elsewhere
    assert sent["mrkdwn"] is False
    assert attachment["title"] == f"SUCCESS: {DISARMED} (job 7)"
    assert attachment["text"] == message.body
    assert f"Input: {DISARMED}\n" in attachment["text"]
    assert attachment["color"] == "#3AA337"
    assert attachment["footer"] == "gemwatch"
    assert not set("<>*`~|@") & set(attachment["title"].replace("[@]", "") + attachment["text"].replace("[@]", ""))
    assert "://" not in attachment["text"]


DISARMED = "‹!channel› ∗x∗ ‹https[:]//evil[.]example¦click› Bcc: a[@]example[.]com"  # noqa: RUF001 (look-alikes)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"no_service", "Slack answered 404 Not Found: no_service"),
        (200, b"invalid_token", "Slack answered 200 OK: invalid_token"),
        (502, b"<html><b>Bad gateway</b></html>", "Slack answered 502 Bad Gateway"),
        (403, b"for TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC", "Slack answered 403 Forbidden: for ***/***/***"),
        (500, b"two\r\nlines \x1b[31m\xff", "Slack answered 500 Internal Server Error: two lines [31m\ufffd"),
        (400, b"x" * 5000, None),
    ],
)
async def test_slack_s_own_words_are_told_without_the_webhook_s_secrets(
    build: Build, slack: Slack, status: int, body: bytes, words: str | None
) -> None:
    slack.status, slack.body = status, body
    said = reason(await build(chat=SLACK).send("chat", HELLO))
    assert words is None or said == words
    assert "SECRET" not in said.upper()


async def test_nothing_that_apprise_logs_gets_out(
    build: Build, slack: Slack, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    wait: list[logging.LogRecord] = []

    class Ears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            wait.append(record)

    root, ears, level = logging.getLogger(), Ears(), logging.getLogger().level
    root.addHandler(ears)
    root.setLevel(logging.DEBUG)
    try:
        targets = build(chat=SLACK, hook=inbox.target_url("hook-sEcReT"))
        slack.status = 404
        assert isinstance(await targets.send("chat", HELLO), NotSent)
        assert await targets.send("hook", HELLO) == Sent()
    finally:
        root.setLevel(level)
        root.removeHandler(ears)
    assert [record.getMessage() for record in wait if record.name != "asyncio"] == []
    assert capfd.readouterr() == ("", "")


async def test_a_reason_is_told_even_where_logging_was_switched_off_for_others(build: Build, slack: Slack) -> None:
    targets = build(chat=SLACK)
    slack.status, slack.body = 404, b"no_service"
    logging.getLogger("apprise").disabled = True
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    assert reason(await targets.send("chat", HELLO)) == "Slack answered 404 Not Found: no_service"


def mail_url(server: MailServer, *, to: str = "data@example.com", more: str = "") -> str:
    return f"mailto://127.0.0.1:{server.port}?from=gemwatch@example.com&to={to}{more}"


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def test_a_mail_is_one_part_of_plain_text_in_which_nothing_acts(build: Build) -> None:
    message = compose(4711, hostile_event(), now=AT)
    with MailServer() as server:
        assert await build(mail=mail_url(server)).send("mail", message) == Sent()
    [letter] = server.letters
    assert letter.recipients == ["data@example.com"]
    mail = parsed(letter.content)
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == message.body.splitlines()
    assert mail["Subject"] == f"SUCCESS: {DISARMED} (job 7)"
    assert mail["From"] == "gemwatch@example.com"
    assert {name.lower() for name in mail} == {
        "content-type",
        "mime-version",
        "content-transfer-encoding",
        "x-application",
        "subject",
        "from",
        "to",
        "message-id",
        "date",
    }


async def test_a_mail_goes_through_starttls_where_the_certificate_is_trusted(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    with MailServer(tls=tls) as server:
        targets = build(mail=f"mailtos://localhost:{server.port}?from=gemwatch@example.com&to=data@example.com")
        outcome = await targets.send("mail", HELLO)
        assert reason(outcome) == (
            f"the certificate of localhost:{server.port} is not trusted: unable to get local issuer certificate"
        )
        with authority.cert_pem.tempfile() as trusted:
            monkeypatch.setenv("SSL_CERT_FILE", trusted)
            again = build(mail=f"mailtos://localhost:{server.port}?from=gemwatch@example.com&to=data@example.com")
            assert await again.send("mail", HELLO) == Sent()
    assert [letter.secure for letter in server.letters] == [True]


async def test_a_mail_server_s_refusal_of_a_recipient_is_told(build: Build) -> None:
    with MailServer(refuses={"nobody@example.com"}) as server:
        outcome = await build(mail=mail_url(server, to="nobody@example.com")).send("mail", HELLO)
    assert reason(outcome) == f"127.0.0.1:{server.port} answered 550: 5.1.1 no such user here"
    assert server.letters == []


async def test_a_mail_server_s_refusal_of_the_password_is_told_without_it(build: Build) -> None:
    with MailServer(password=b"the right one") as server:
        url = f"mailto://gemwatch:s3cret-Pa%24s@127.0.0.1:{server.port}?from=gemwatch@example.com&to=data@example.com"
        said = reason(await build(mail=url).send("mail", HELLO))
    assert said == f"127.0.0.1:{server.port} answered 535: 5.7.8 Authentication credentials invalid"


async def test_a_mail_server_that_is_not_there_is_named_by_host_and_port(build: Build) -> None:
    with MailServer() as server:
        url = mail_url(server)
    assert reason(await build(mail=url).send("mail", HELLO)) == f"connection refused by 127.0.0.1:{server.port}"


async def test_the_tone_of_a_message_gives_it_a_colour(build: Build, slack: Slack) -> None:
    targets = build(red=SLACK, blue=SLACK.replace("TSECRET", "TSECREU"))
    assert await targets.send("red", Message(title="t", body="b", tone=Tone.BAD)) == Sent()
    assert await targets.send("blue", Message(title="t", body="b")) == Sent()
    colours = [json.loads(post)["attachments"][0]["color"] for _, post in slack.posts]
    assert colours == ["#A32037", "#3AA3E3"]
