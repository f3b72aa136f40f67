"""Sends one message through one Apprise plugin."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import apprise
from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify import mail
from gemwatch.adapters.notify.formats import Shape
from gemwatch.adapters.notify.plugins import NotifyEmail
from gemwatch.adapters.notify.reasons import Diagnosis, diagnose, failed, not_sent
from gemwatch.adapters.notify.redaction import Redaction
from gemwatch.adapters.notify.urls import listen
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.text.rendering import Rendered
from gemwatch.core.text.sanitize import shorten
from gemwatch.core.traits import Tone
from gemwatch.core.work import Outcome, Sent

_TYPES = {
    Tone.GOOD: apprise.NotifyType.SUCCESS,
    Tone.BAD: apprise.NotifyType.FAILURE,
    Tone.WARNING: apprise.NotifyType.WARNING,
    Tone.PLAIN: apprise.NotifyType.INFO,
}


def send(plugin: NotifyBase, shape: Shape, message: Rendered, ids: MessageIds, redaction: Redaction) -> Outcome:
    """Blocks until the service answers. Never raises."""
    listen()
    try:
        diagnosis = _mail(plugin, message, ids) if mail.sends(plugin) else _notify(plugin, shape, message)
    except Exception as error:  # third-party code: any exception means that the service did not accept the message
        diagnosis = failed(str(plugin.service_name), error)
    return Sent() if diagnosis is None else not_sent(diagnosis, redaction)


def _mail(plugin: NotifyEmail, message: Rendered, ids: MessageIds) -> Diagnosis | None:
    title, body = _encodable(message.title), _encodable(message.body)
    if message.plain is None:
        return mail.deliver(plugin, title=title, text=body, ids=ids)
    return mail.deliver(plugin, title=title, text=_encodable(message.plain), ids=ids, page=body)


def _notify(plugin: NotifyBase, shape: Shape, message: Rendered) -> Diagnosis | None:
    title = "" if shape.headed else _encodable(message.title)
    service = apprise.Apprise(asset=plugin.asset)
    service.add(plugin)
    with prioritised(plugin, message.tone):
        result = service.notify(
            title=shorten(title, plugin.title_maxlen or len(title)),
            body=_encodable(message.body),
            notify_type=_TYPES[message.tone],
            body_format=shape.body_format,
            log_level=logging.DEBUG,
        )
    attempt = result.results[0].attempts[-1]
    if attempt.status is apprise.AppriseResultStatus.SUCCESS:
        return None
    return diagnose(plugin, [(line.level, line.message) for line in attempt.logs])


def _encodable(text: str) -> str:
    """The text without lone surrogates, at which some plugins fail halfway."""
    return text.encode(errors="replace").decode()


# Each service's name for a priority above its default. Emergency levels, which alert until a person confirms, are
# only used if the URL names them.
_HIGH: dict[str, Any] = {
    "NotifyNtfy": "high",
    "NotifyGotify": 8,
    "NotifyPushover": 1,
    "NotifyProwl": 1,
    "NotifyJoin": 1,
    "NotifyOpsgenie": 4,
}


@contextmanager
def prioritised(plugin: NotifyBase, tone: Tone) -> Iterator[None]:
    """For one message: failures get a high priority."""
    name = type(plugin).__name__
    usual = getattr(plugin, "priority", None)
    if tone is not Tone.BAD or name not in _HIGH or usual != _default(plugin):
        yield
        return
    plugin.priority = _HIGH[name]  # type: ignore[attr-defined]
    try:
        yield
    finally:
        plugin.priority = usual  # type: ignore[attr-defined]


def _default(plugin: NotifyBase) -> Any:
    return plugin.template_args.get("priority", {}).get("default")
