"""Finds out why a service did not accept a message, from Apprise's log lines about the attempt, and what to do."""

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify.redaction import WITHHELD, Redaction
from gemwatch.core.text.sanitize import single_line
from gemwatch.core.work import AttemptFailure, NotSent

EXCHANGE = (
    "Exchange Online no longer accepts passwords for SMTP. Use an azure:// URL (Microsoft Graph) instead, "
    "see docs/targets.md"
)
TEAMS = (
    "Office 365 connectors are retired. Make a workflow in Teams and use its workflows:// URL, see docs/targets.md"
)
_SLACK = "Slack no longer knows this webhook. Make a new incoming webhook and put its URL into the configuration"
_SLACK_CHANNEL = "The webhook's channel is archived or gone. Make a new incoming webhook for another channel"
_WORKFLOW = (
    "The Teams workflow is turned off or deleted, its owner has left, or its URL has changed. Open it in Teams, "
    "check that it is on, and copy its URL again"
)
_GMAIL = "Google does not accept account passwords here. Make an app password, see docs/targets.md"

# service, code, pattern in the service's answer, what to do
_HINTS = tuple(
    (service, code, re.compile(sign, re.IGNORECASE), hint)
    for service, code, sign, hint in (
        ("Slack", "", "channel_is_archived|channel_not_found", _SLACK_CHANNEL),
        ("Slack", "", "no_service|no_team|invalid_token|no_active_hooks", _SLACK),
        ("Slack", "404|410", "", _SLACK),
        ("Workflows|Power Automate", "401|403|404|410", "", _WORKFLOW),
        ("", "5..", r"5\.7\.139|5\.7\.57|SmtpClientAuthentication", EXCHANGE),
        ("", "534|535", r"5\.7\.9|gsmtp|support\.google", _GMAIL),
    )
)
_EXCHANGE_HOSTS = frozenset({"smtp.office365.com", "smtp-mail.outlook.com", "outlook.office365.com"})


def hint(service: str, code: str, words: str) -> str | None:
    """What to do about a refusal, or None. `code`: three digits of HTTP or SMTP."""
    for named, codes, sign, advice in _HINTS:
        if re.match(named, service, re.IGNORECASE) and re.match(codes, code) and sign.search(words):
            return advice
    return None


def url_hint(plugin: NotifyBase) -> str | None:
    """A warning about a URL that Apprise accepts but the service is known to refuse, or None."""
    host = str(getattr(plugin, "smtp_host", "")).lower()
    if host in _EXCHANGE_HOSTS and plugin.password:
        return EXCHANGE
    if host == "smtp.gmail.com" and plugin.password and not re.fullmatch(r"(?:[a-z]{4} ?){4}", str(plugin.password)):
        return _GMAIL
    return None


UNENCODABLE = "a character in the target's URL or in the message cannot be encoded for this service"
_MAYBE = "; it may have arrived"
_LONGEST_WORDS, _LONGEST_REASON = 200, 400
_GONE = frozenset({"404", "410"})
_NO_REASON = "did not accept the message and gave no reason"

_CODE = re.compile(r"error=(\d{3})(\d{0,3})\b")
_RETRY_AFTER = re.compile(r"retry[_-]?after(_ms|seconds)?[\"']*\s*[:=]\s*[\"']?(\d+(?:\.\d+)?)", re.IGNORECASE)
_FAILURES = tuple(
    (re.compile(sign, re.IGNORECASE), words)
    for sign, words in (
        (r"codec can't (?:en|de)code", UNENCODABLE),
        (r"connection refused", "connection refused by {where}"),
        (r"certificate verify failed:? ?([^('\"]*)", "the certificate of {where} is not trusted: {detail}"),
        (r"name or service not known|failed to resolve|name resolution", "the host name of {where} does not resolve"),
        (r"connect timeout", "no connection to {where} in time"),
        (r"timed? ?out", "no answer from {where} in time" + _MAYBE),
        (r"aborted|reset by peer|closed|eof occurred", "{where} closed the connection" + _MAYBE),
        (r"\[errno -?\d+\] ([^'\")]+)", "no connection to {where}: {detail}"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What is known about a failed attempt. `words` come from the service and may contain secrets."""

    what: str
    words: str = ""
    failure: AttemptFailure = AttemptFailure.TEMPORARY
    unknown: bool = False
    retry_after: timedelta | None = None
    hint: str | None = None


def not_sent(diagnosis: Diagnosis, redaction: Redaction) -> NotSent:
    """The outcome to record: a single line without any part of a secret."""
    words = redaction.redact(single_line(diagnosis.words, 2000))
    shown = WITHHELD if words is None else single_line(words, _LONGEST_WORDS)
    reason = f"{diagnosis.what}: {shown}" if shown else diagnosis.what
    if diagnosis.hint:
        reason = f"{reason}. {diagnosis.hint}"
    # Our own words may name a host, which is the secret in some URLs.
    safe = redaction.redact(single_line(reason, _LONGEST_REASON))
    return NotSent(
        reason=safe if safe is not None else f"not accepted; {WITHHELD}",
        unknown=diagnosis.unknown,
        failure=diagnosis.failure,
        retry_after=diagnosis.retry_after,
    )


def diagnose(plugin: NotifyBase, lines: Iterable[tuple[str, str]]) -> Diagnosis:
    """The reason for a failed attempt, from its log lines (level, text).

    Two kinds of line below WARNING contain the cause. Other lines below WARNING contain URLs and bodies, so they are
    ignored.
    """
    warnings, error, answer = [], "", ""
    for level, text in lines:
        if level in ("WARNING", "ERROR", "CRITICAL"):
            warnings.append(text)
        elif text.startswith(("Socket Exception:", "Notification Exception:", "I/O Exception:")):
            error = text.partition(":")[2].strip()
        elif text.startswith("Response Details:"):
            answer = _decoded(text.partition(":")[2].strip())
    said, service = " ".join(warnings), str(plugin.service_name)
    if code := _CODE.search(said):
        return answered(service, code[1] + code[2], answer)
    if error:
        return _failed(_where(plugin, error), error)
    return Diagnosis(what=f"{service} did not accept the message", words=said) if said else _silent(service)


def answered(service: str, code: str, answer: str, *, refused: bool | None = None) -> Diagnosis:
    """A service answered with an HTTP code, perhaps followed by its own digits, or an SMTP code (`refused` given)."""
    known = code[:3]
    try:
        meaning = f"{known} {HTTPStatus(int(known)).phrase}" if refused is None else known
    except ValueError:
        known = meaning = code
    page = answer.lstrip().startswith("<")  # an HTML error page adds nothing to the code
    words = "" if page else answer
    retry_after = _retry_after(answer)
    failure = AttemptFailure.TEMPORARY
    if refused or (refused is None and known in _GONE):
        failure = AttemptFailure.REFUSED
    elif known == "429":
        failure = AttemptFailure.THROTTLED
    return Diagnosis(
        what=f"{service} answered {meaning}",
        words=words,
        failure=failure,
        retry_after=retry_after if failure is AttemptFailure.THROTTLED else None,
        hint=hint(service, known, answer),
    )


def _silent(service: str) -> Diagnosis:
    return Diagnosis(what=f"{service} {_NO_REASON}")


def _retry_after(answer: str) -> timedelta | None:
    """The pause that Discord, Telegram, Matrix and others name in the body. Apprise does not expose headers."""
    if not (found := _RETRY_AFTER.search(answer)):
        return None
    return timedelta(seconds=min(float(found[2]), 1e6) / (1000 if found[1] and found[1].lower() == "_ms" else 1))


def failed(where: str, error: BaseException) -> Diagnosis:
    """The reason for a failed connection."""
    return _failed(where, str(error) or type(error).__name__)


def _failed(where: str, error: str) -> Diagnosis:
    for sign, words in _FAILURES:
        if found := sign.search(error):
            what = words.format(where=where, detail=found[1].strip() if found.lastindex else "")
            return Diagnosis(what=what, unknown=what.endswith(_MAYBE))
    if "url:" in error or "://" in error:
        return Diagnosis(what=f"no connection to {where}")
    return Diagnosis(what=where, words=error)


def _where(plugin: NotifyBase, error: str) -> str:
    """The host, if the error names it. The `host` of a plugin is not safe to show: it may be a token."""
    named = re.search(r"host='([^']+)', port=(\d+)", error)
    return f"{named[1]}:{named[2]}" if named else str(plugin.service_name)


def _decoded(literal: str) -> str:
    """The text of a bytes literal, in which plugins log an answer. Other texts are unchanged."""
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return literal
    return value.decode(errors="replace") if isinstance(value, bytes) else literal
