"""Why a message was not accepted: the service's answer and its meaning, without secrets."""

import base64
from datetime import timedelta
from urllib.parse import quote

import pytest

from gemwatch.adapters.notify.reasons import answered
from gemwatch.adapters.notify.redaction import WITHHELD
from gemwatch.adapters.notify.urls import load
from gemwatch.core.work import AttemptFailure, NotSent, Sent
from support.http import Handler, Server
from support.inbox import Inbox
from support.mail import MailServer
from support.sending import HELLO, SLACK, Build, Service, reason, serving

SECRET = "sEcReTcCcCcCcCcCcCcC"
MASKED_BASIC = "sorry: Authorization: Basic ***"


@pytest.mark.parametrize(
    ("status", "words", "failure"),
    [
        (400, "JSON answered 400 Bad Request: no", AttemptFailure.TEMPORARY),
        (404, "JSON answered 404 Not Found: no", AttemptFailure.REFUSED),
        (410, "JSON answered 410 Gone: no", AttemptFailure.REFUSED),
        (429, "JSON answered 429 Too Many Requests: no", AttemptFailure.THROTTLED),
        (500, "JSON answered 500 Internal Server Error: no", AttemptFailure.TEMPORARY),
        (503, "JSON answered 503 Service Unavailable: no", AttemptFailure.TEMPORARY),
        (302, "JSON answered 302 Found: no", AttemptFailure.TEMPORARY),
    ],
)
async def test_http_status_sets_reason_and_failure(
    build: Build, inbox: Inbox, status: int, words: str, failure: AttemptFailure
) -> None:
    inbox.fails_with = status
    outcome = await build(team=inbox.target_url()).send("team", HELLO)
    assert outcome == NotSent(reason=words, failure=failure)
    assert inbox.refused == 1


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        (b'{"message": "slow down", "retry_after": 600}', 600),
        (b'{"ok": false, "error_code": 429, "parameters": {"retry_after": 35}}', 35),
        (b'{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 90000}', 90),
        (b"Retry-After: 120", 120),
        (b"rate limited", None),
        (b"retry_after: soon", None),
    ],
)
async def test_429_body_names_the_retry_time(build: Build, body: bytes, seconds: float | None) -> None:
    with serving(Service(status=429, body=body)) as service:
        outcome = await build(team=f"json://127.0.0.1:{service.port}/hook").send("team", HELLO)
    assert isinstance(outcome, NotSent)
    assert outcome.failure is AttemptFailure.THROTTLED
    assert outcome.retry_after == (None if seconds is None else timedelta(seconds=seconds))


async def test_ntfy_codes_with_more_digits_count_as_http(build: Build) -> None:
    answer = b'{"code": 42901, "http": 429, "error": "limit reached: too many requests"}'
    with serving(Service(status=429, body=answer)) as service:
        outcome = await build(team=f"ntfy://127.0.0.1:{service.port}/topic").send("team", HELLO)
    assert isinstance(outcome, NotSent)
    assert outcome.failure is AttemptFailure.THROTTLED
    assert outcome.reason.startswith("ntfy answered 429 Too Many Requests: ")


async def test_missing_server_is_named_by_host_and_port(build: Build) -> None:
    with Inbox() as gone:
        url = gone.target_url()
    assert await build(team=url).send("team", HELLO) == NotSent(reason=f"connection refused by 127.0.0.1:{gone.port}")


async def test_broken_connection_leaves_the_outcome_unknown(build: Build) -> None:
    class Rude(Handler):
        def do_POST(self) -> None:
            self.close_connection = True

    with Server(Rude) as server:
        outcome = await build(team=f"json://127.0.0.1:{server.port}/hook").send("team", HELLO)
    assert outcome == NotSent(reason="JSON closed the connection; it may have arrived", unknown=True)


async def test_password_outside_latin_1_shows_no_character(build: Build, inbox: Inbox) -> None:
    said = reason(await build(team=f"json://me:p%E2%82%AC%C5%93word@127.0.0.1:{inbox.port}/x").send("team", HELLO))
    assert said == "a character in the target's URL or in the message cannot be encoded for this service"


ARCHIVED = "The webhook's channel is archived or gone. Make a new incoming webhook for another channel"
GONE = "Slack no longer knows this webhook. Make a new incoming webhook and put its URL into the configuration"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"no_service", f"Slack answered 404 Not Found: no_service. {GONE}"),
        (200, b"invalid_token", f"Slack answered 200 OK: invalid_token. {GONE}"),
        (
            410,
            b"channel_is_archived",
            f"Slack answered 410 Gone: channel_is_archived. {ARCHIVED}",
        ),
        (502, b"<html><b>Bad gateway</b></html>", "Slack answered 502 Bad Gateway"),
        (403, b"for TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC", "Slack answered 403 Forbidden: for ***/***/***"),
        (500, b"two\r\nlines \x1b[31m\xff", "Slack answered 500 Internal Server Error: two lines [31m\ufffd"),
        (400, b"x" * 5000, None),
    ],
)
async def test_slack_words_appear_without_secrets(
    build: Build, slack: Service, status: int, body: bytes, words: str | None
) -> None:
    slack.status, slack.body = status, body
    said = reason(await build(chat=SLACK).send("chat", HELLO))
    assert words is None or said == words
    assert "SECRET" not in said.upper()


@pytest.mark.parametrize(
    ("code", "hinted"), [("401", True), ("403", True), ("404", True), ("410", True), ("429", False), ("502", False)]
)
def test_refusal_of_a_teams_workflow_has_a_remedy(code: str, *, hinted: bool) -> None:
    plugin = load("workflows://host.example.com/workflow/s1gn4ture")
    said = answered(str(plugin.service_name), code, '{"error": {"code": "WorkflowTriggerIsNotEnabled"}}').hint
    assert ("Open it in Teams, check that it is on" in (said or "")) is hinted


def encodings(secret: str) -> dict[str, str]:
    """The forms in which a service may repeat a secret."""
    plain = secret.encode()
    return {
        "percent": "".join(f"%{byte:02X}" for byte in plain),
        "percent twice": quote(quote("/" + secret, safe=""), safe="").replace("s", "%2573", 1),
        "HTML": "".join(f"&#{ord(character)};" for character in secret),
        "HTML hexadecimal": "".join(f"&#x{ord(character):x};" for character in secret),
        "JSON escapes": "".join(f"\\u{ord(character):04x}" for character in secret),
        "base64": base64.b64encode(plain).decode(),
        "base64 URL-safe without padding": base64.urlsafe_b64encode(plain).decode().rstrip("="),
        "base64 within": base64.b64encode(b"x" + plain + b"!").decode(),
        "base64 in lines": base64.encodebytes(b"user:" + plain * 4).decode(),
        "Basic": "Authorization: Basic " + base64.b64encode(b"gemwatch:" + plain).decode(),
        "split by spaces": " ".join(secret),
        "split by lines": "\n".join((secret[:9], secret[9:])),
        "split by quotes": f'["{secret[:8]}", "{secret[8:]}"]',
        "cut": f"token {secret[:10]}... is unknown",
        "upper case": secret.upper(),
        "invisible joiners": "\u200b".join(secret),
    }


@pytest.mark.parametrize("form", encodings(SECRET))
async def test_reasons_hide_every_form_of_a_secret(build: Build, form: str) -> None:
    body = f"sorry: {encodings(SECRET)[form]}".encode()
    with serving(Service(status=403, body=body)) as service:
        url = f"json://gemwatch:{SECRET}@127.0.0.1:{service.port}/hook"
        said = reason(await build(team=url).send("team", HELLO))
    assert said in {f"JSON answered 403 Forbidden: {words}" for words in (WITHHELD, "sorry: ***", MASKED_BASIC)}


@pytest.mark.parametrize("password", ["pässwörd-123", "p+w /&=%", "kurz", "пароль-один"])
async def test_mail_login_hides_the_password(build: Build, password: str) -> None:
    reply = f"535 5.7.8 wrong: {quote(password)} {base64.b64encode(password.encode()).decode()}"
    with MailServer(password=b"the right one", login_reply=reply) as server:
        user = f"gemwatch:{quote(password, safe='')}"
        url = f"mailto://{user}@127.0.0.1:{server.port}?from=gemwatch@example.com&to=data@example.com"
        outcome = await build(mail=url).send("mail", HELLO)
    assert isinstance(outcome, NotSent)
    assert outcome == NotSent(
        reason=f"127.0.0.1:{server.port} answered 535: {WITHHELD}", failure=AttemptFailure.REFUSED
    )


async def test_harmless_words_are_shown_in_full(build: Build) -> None:
    words = "invalid_payload: field 'title' is too long (max 250), see docs; id 0123456789abcdef"
    with serving(Service(status=400, body=words.encode())) as service:
        url = f"json://gemwatch:{SECRET}@127.0.0.1:{service.port}/hook"
        targets = build(team=url)
        assert reason(await targets.send("team", HELLO)) == f"JSON answered 400 Bad Request: {words}"
        service.status = 200
        assert await targets.send("team", HELLO) == Sent()
