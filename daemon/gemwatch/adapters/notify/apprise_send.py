"""One message to one Apprise plugin: taken, or why not."""

import ast
import logging
import re
from collections.abc import Iterable
from http import HTTPStatus

import apprise
from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify.urls import listen
from gemwatch.core.events import Tone
from gemwatch.core.secrets import Secrets
from gemwatch.core.text.message import Message
from gemwatch.core.text.sanitize import shorten, single_line
from gemwatch.core.work import NotSent, Outcome, Sent

_TYPES = {
    Tone.GOOD: apprise.NotifyType.SUCCESS,
    Tone.BAD: apprise.NotifyType.FAILURE,
    Tone.WARNING: apprise.NotifyType.WARNING,
    Tone.PLAIN: apprise.NotifyType.INFO,
}
_LONGEST_REASON = 300
MAYBE = "; it may have arrived"  # ends each reason that leaves the outcome unknown

_SMTP_REPLY = re.compile(r"\((\d{3}), (b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\")")  # smtplib's form
_TROUBLES = tuple(
    (re.compile(sign, re.IGNORECASE), words)
    for sign, words in (
        (r"connection refused", "connection refused by {where}"),
        (r"certificate verify failed:? ?([^('\"]*)", "the certificate of {where} is not trusted: {detail}"),
        (r"name or service not known|failed to resolve|name resolution", "there is no host of the name of {where}"),
        (r"connect timeout", "no connection to {where} in time"),
        (r"timed? ?out", "no answer from {where} in time" + MAYBE),
        (r"aborted|reset by peer|closed|eof occurred", "{where} broke the connection off" + MAYBE),
        (r"\[errno -?\d+\] ([^'\")]+)", "no connection to {where}: {detail}"),
    )
)


def send(plugin: NotifyBase, message: Message, secrets: Secrets) -> Outcome:
    """Blocks for as long as the service takes. Never raises."""
    listen()
    try:
        service = apprise.Apprise(asset=plugin.asset)
        service.add(plugin)
        result = service.notify(
            title=_encodable(shorten(message.title, plugin.title_maxlen or len(message.title))),
            body=_encodable(message.body),
            notify_type=_TYPES[message.tone],
            body_format=apprise.NotifyFormat.TEXT,  # with any other, Slack mentions what a file name asks it to
            log_level=logging.DEBUG,
        )
        attempt = result.results[0].attempts[-1]
        if attempt.status is apprise.AppriseResultStatus.SUCCESS:
            return Sent()
        why = reason(plugin, [(line.level, line.message) for line in attempt.logs])
    except Exception as error:  # a plugin is foreign code: whatever it raises, the message was not taken
        why = f"{type(error).__name__}: {error}"
    return NotSent(reason=single_line(secrets.mask(why), _LONGEST_REASON), unknown=why.endswith(MAYBE))


def reason(plugin: NotifyBase, lines: Iterable[tuple[str, str]]) -> str:
    """What a person can act on, from the log lines of a failed attempt. May still hold secrets.

    What failed stands in two lines below WARNING; the others there hold URLs and bodies, and are left alone.
    """
    warnings, trouble, answer = [], "", ""
    for level, text in lines:
        if level in ("WARNING", "ERROR", "CRITICAL"):
            warnings.append(text)
        elif text.startswith(("Socket Exception:", "Notification Exception:", "I/O Exception:")):
            trouble = text.partition(":")[2].strip()
        elif text.startswith("Response Details:"):
            answer = _decoded(text.partition(":")[2].strip())
    said = " ".join(warnings)
    if code := re.search(r"error=(\d{3})\b", said):
        return _answered(str(plugin.service_name), code[1], answer)
    if trouble:
        return _troubled(_where(plugin, trouble), trouble)
    return said or "the service did not take it and gave no reason"


def _answered(service: str, code: str, answer: str) -> str:
    try:
        meaning = f"{code} {HTTPStatus(int(code)).phrase}"
    except ValueError:
        meaning = code
    page = answer.lstrip().startswith("<")  # an error page in HTML says no more than its number
    return f"{service} answered {meaning}" + (f": {answer}" if answer and not page else "")


def _troubled(where: str, error: str) -> str:
    if replied := _SMTP_REPLY.search(error):
        return f"{where} answered {replied[1]}: {_decoded(replied[2])}"
    for sign, words in _TROUBLES:
        if found := sign.search(error):
            return words.format(where=where, detail=found[1].strip() if found.lastindex else "")
    return f"no connection to {where}" if "url:" in error or "://" in error else f"{where}: {error}"


def _where(plugin: NotifyBase, error: str) -> str:
    """The host, if the error names it or it is a mail server. Elsewhere a plugin's `host` may be a token."""
    if named := re.search(r"host='([^']+)', port=(\d+)", error):
        return f"{named[1]}:{named[2]}"
    host = getattr(plugin, "smtp_host", None)
    return f"{host}:{plugin.port}" if host else str(plugin.service_name)


def _decoded(literal: str) -> str:
    """The text of a bytes literal, which is how plugins log an answer; anything else as it is."""
    try:
        value = ast.literal_eval(literal)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return literal
    return value.decode(errors="replace") if isinstance(value, bytes) else literal


def _encodable(text: str) -> str:
    """A lone surrogate would stop some plugins in the middle."""
    return text.encode(errors="replace").decode()
