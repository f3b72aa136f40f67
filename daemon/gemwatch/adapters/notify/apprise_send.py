"""One message to one Apprise plugin: accepted, or why not."""

import logging

import apprise
from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify import mail
from gemwatch.adapters.notify.reasons import Diagnosis, diagnose, failed, not_sent
from gemwatch.adapters.notify.redaction import Redaction
from gemwatch.adapters.notify.urls import listen
from gemwatch.core.kinds import Tone
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.text.rendering import Rendered
from gemwatch.core.text.sanitize import shorten
from gemwatch.core.work import Outcome, Sent

_TYPES = {
    Tone.GOOD: apprise.NotifyType.SUCCESS,
    Tone.BAD: apprise.NotifyType.FAILURE,
    Tone.WARNING: apprise.NotifyType.WARNING,
    Tone.PLAIN: apprise.NotifyType.INFO,
}


def send(plugin: NotifyBase, message: Rendered, ids: MessageIds, redaction: Redaction) -> Outcome:
    """Blocks until the service answers. Never raises."""
    listen()
    title, body = _encodable(message.title), _encodable(message.body)
    try:
        if mail.sends(plugin):
            diagnosis = mail.deliver(plugin, title=title, text=body, ids=ids)
        else:
            diagnosis = _notify(plugin, title, body, message.tone)
    except Exception as error:  # a plugin is foreign code: whatever it raises, the message was not accepted
        diagnosis = failed(str(plugin.service_name), error)
    return Sent() if diagnosis is None else not_sent(diagnosis, redaction)


def _notify(plugin: NotifyBase, title: str, body: str, tone: Tone) -> Diagnosis | None:
    service = apprise.Apprise(asset=plugin.asset)
    service.add(plugin)
    result = service.notify(
        title=shorten(title, plugin.title_maxlen or len(title)),
        body=body,
        notify_type=_TYPES[tone],
        body_format=apprise.NotifyFormat.TEXT,  # with any other, Slack mentions what a file name asks it to
        log_level=logging.DEBUG,
    )
    attempt = result.results[0].attempts[-1]
    if attempt.status is apprise.AppriseResultStatus.SUCCESS:
        return None
    return diagnose(plugin, [(line.level, line.message) for line in attempt.logs])


def _encodable(text: str) -> str:
    """A lone surrogate would stop some plugins half-way."""
    return text.encode(errors="replace").decode()
