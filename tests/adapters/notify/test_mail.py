"""Mail on the wire: headers, threads, logins, TLS and IPv6, with a real SMTP server."""

import email
import email.header
import email.policy
import re
import socket
import ssl
from email.message import EmailMessage

import pytest
import trustme

from gemwatch.adapters.notify.targets import url_advice, url_problem
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.text.rendering import Rendered
from gemwatch.core.work import AttemptFailure, NotSent, Sent
from support.mail import MailServer
from support.sending import HELLO, Build, reason

IDS = MessageIds(message="gw-1.abc", thread="job-7.def")


def mail_url(server: MailServer, *, to: str = "data@example.com", user: str = "", more: str = "") -> str:
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"mailto://{user}{host}:{server.port}?from=gemwatch@example.com&to={to}{more}"


def parsed(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


async def test_mail_is_plain_text_with_the_headers_of_automatic_mail(build: Build) -> None:
    with MailServer() as server:
        assert await build(mail=mail_url(server)).send("mail", HELLO, IDS) == Sent()
    [letter] = server.letters
    mail = parsed(letter.content)
    assert letter.recipients == ["data@example.com"]
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == HELLO.body.splitlines()
    assert {name: str(mail[name]) for name in mail if name not in {"Date", "Content-Transfer-Encoding"}} == {
        "From": "gemwatch@example.com",
        "To": "data@example.com",
        "Subject": HELLO.title,
        "Message-ID": "<gw-1.abc@example.com>",
        "References": "<job-7.def@example.com>",
        "In-Reply-To": "<job-7.def@example.com>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Type": 'text/plain; charset="utf-8"',
        "MIME-Version": "1.0",
    }
    assert mail["Date"].datetime.utcoffset() is not None


async def test_repeated_mail_keeps_its_message_id(build: Build) -> None:
    with MailServer() as server:
        for ids in (IDS, IDS, None):  # each by a new start, which does not wait as Apprise does between two mails
            assert await build(mail=mail_url(server)).send("mail", HELLO, ids) == Sent()
    first, second, other = (parsed(letter.content)["Message-ID"] for letter in server.letters)
    assert first == second != other


@pytest.mark.parametrize(
    "title",
    [
        "FAILED: Nordrhein-Westfälische Straßen, wöchentlich (job 123456789)",
        "SUCCESS: " + "道路照合" * 30 + " (job 7)",
        "SUCCESS: " + "a" * 300,
        "SUCCESS: \N{FACTORY}\N{PACKAGE} =?utf-8?q?no?= (job 7)",
    ],
)
async def test_subjects_are_folded_by_rfc_2047(build: Build, title: str) -> None:
    with MailServer() as server:
        assert await build(mail=mail_url(server)).send("mail", Rendered(title=title, body="b")) == Sent()
    raw = server.letters[0].content
    header = re.split(rb"\r\n(?![ \t])", raw[raw.index(b"Subject:") :])[0]
    assert all(len(line) <= 998 for line in header.split(b"\r\n"))
    assert all(len(word) <= 75 for word in re.findall(rb"=\?[^?\s]+\?[bqBQ]\?[^?\s]*\?=", header))
    assert str(parsed(raw)["Subject"]) == title.replace("=?", "= ?")


async def test_line_breaks_in_a_title_add_no_header(build: Build) -> None:
    with MailServer() as server:
        message = Rendered(title="a\r\nBcc: x@example.com\u2028b", body="one\n.\ntwo")
        assert await build(mail=mail_url(server)).send("mail", message) == Sent()
    mail = parsed(server.letters[0].content)
    assert mail["Bcc"] is None
    assert mail["Subject"] == "a Bcc: x@example.com b"
    assert mail.get_content().splitlines() == ["one", ".", "two"]


async def test_options_of_the_url_reach_the_mail(build: Build) -> None:
    more = "&name=GEM%20w%C3%A4chter&cc=c@example.com&bcc=b@example.com&reply=r@example.com&%2BX-Team=gis"
    with MailServer() as server:
        assert await build(mail=mail_url(server, more=more)).send("mail", HELLO) == Sent()
    [letter] = server.letters
    mail = parsed(letter.content)
    assert letter.recipients == ["data@example.com", "c@example.com", "b@example.com"]
    assert (mail["From"], mail["Cc"], mail["Bcc"]) == ("GEM wächter <gemwatch@example.com>", "c@example.com", None)
    assert (mail["Reply-To"], mail["X-Team"]) == ("r@example.com", "gis")


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ("&%2BX-Team=a%0d%0aBcc:x@example.com", "an address, a name or a header in it has characters"),
        ("&pgp=encrypt", "gemwatch does not encrypt or sign mail"),
        ("&wkd=yes", "gemwatch does not encrypt or sign mail"),
    ],
)
def test_mail_url_that_cannot_work_is_refused(more: str, problem: str) -> None:
    found = url_problem(f"mailto://mail.example.com?from=gemwatch@example.com&to=data@example.com{more}")
    assert found is not None
    assert found.startswith(problem)


def test_exchange_and_gmail_passwords_are_advised_against() -> None:
    exchange = url_advice("mailtos://me:s3cret-pw@smtp.office365.com?from=me@example.com&to=data@example.com")
    assert exchange is not None
    assert "azure://" in exchange
    gmail = url_advice("mailtos://me:s3cret-pw@gmail.com?to=data@example.com")
    assert gmail is not None
    assert "app password" in gmail
    assert url_advice("mailtos://me:abcdefghijklmnop@gmail.com?to=data@example.com") is None


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("mode", ["starttls", "ssl"])
async def test_tls_needs_a_trusted_certificate(
    build: Build, monkeypatch: pytest.MonkeyPatch, mode: str, variable: str
) -> None:
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    with MailServer(tls=tls, implicit_tls=mode == "ssl") as server:
        url = f"mailtos://localhost:{server.port}?from=gemwatch@example.com&to=data@example.com&mode={mode}"
        assert reason(await build(mail=url).send("mail", HELLO)) == (
            f"the certificate of localhost:{server.port} is not trusted: unable to get local issuer certificate"
        )
        with authority.cert_pem.tempfile() as trusted:
            monkeypatch.setenv(variable, trusted)
            assert await build(mail=url).send("mail", HELLO) == Sent()
    assert [letter.secure or server.implicit_tls for letter in server.letters] == [True]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="there is no IPv6 loopback here")
async def test_server_can_be_an_ipv6_literal(build: Build) -> None:
    with MailServer(host="::1") as server:
        assert url_problem(mail_url(server)) is None
        assert await build(mail=mail_url(server)).send("mail", HELLO) == Sent()
    assert [letter.recipients for letter in server.letters] == [["data@example.com"]]


async def test_refused_recipient_is_not_a_refused_target(build: Build) -> None:
    with MailServer(refuses={"nobody@example.com"}) as server:
        targets = build(
            one=mail_url(server, to="nobody@example.com"), two=mail_url(server, to="nobody@example.com,a@example.com")
        )
        for name in ("one", "two"):
            assert await targets.send(name, HELLO) == NotSent(
                reason=f"127.0.0.1:{server.port} answered 550: 5.1.1 no such user here"
            )
    assert [letter.recipients for letter in server.letters] == [["a@example.com"]]


async def test_refused_sender_is_a_refused_target(build: Build) -> None:
    with MailServer(sender_reply="550 5.7.1 not allowed to send as this user") as server:
        outcome = await build(mail=mail_url(server)).send("mail", HELLO)
    assert outcome == NotSent(
        reason=f"127.0.0.1:{server.port} answered 550: 5.7.1 not allowed to send as this user",
        failure=AttemptFailure.REFUSED,
    )


@pytest.mark.parametrize(
    ("reply", "failure", "words"),
    [
        (
            "535 5.7.8 Authentication credentials invalid",
            AttemptFailure.REFUSED,
            "5.7.8 Authentication credentials invalid",
        ),
        ("454 4.7.0 come back later", AttemptFailure.TEMPORARY, "4.7.0 come back later"),
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
            AttemptFailure.REFUSED,
            "azure:// URL (Microsoft Graph) instead, see docs/targets.md",
        ),
        ("534 5.7.9 Application-specific password required - gsmtp", AttemptFailure.REFUSED, "Make an app password"),
    ],
)
async def test_refused_login_says_why_and_what_to_do(
    build: Build, reply: str, failure: AttemptFailure, words: str
) -> None:
    with MailServer(password=b"the right one", login_reply=reply) as server:
        outcome = await build(mail=mail_url(server, user="me:s3cret-Pa%24s@")).send("mail", HELLO)
    assert isinstance(outcome, NotSent)
    assert outcome.failure is failure
    assert outcome.reason.startswith(f"127.0.0.1:{server.port} answered {reply[:3]}: {reply[4:]}")
    assert words in outcome.reason
    assert server.letters == []


async def test_user_and_password_beyond_ascii_log_in(build: Build) -> None:
    with MailServer(password="pässwörd \u20ac".encode()) as server:
        assert (
            await build(mail=mail_url(server, user="m%C3%BCller:p%C3%A4ssw%C3%B6rd%20%E2%82%AC@")).send("mail", HELLO)
            == Sent()
        )
    assert server.logins == [("müller".encode(), "pässwörd \u20ac".encode())]


async def test_missing_mail_server_is_named_by_host_and_port(build: Build) -> None:
    with MailServer() as server:
        url = mail_url(server)
    assert await build(mail=url).send("mail", HELLO) == NotSent(
        reason=f"connection refused by 127.0.0.1:{server.port}"
    )
