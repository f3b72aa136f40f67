"""Chooses the format that each service shows best, and makes Apprise pass it on unchanged."""

import re
from dataclasses import dataclass, replace

import apprise
from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify import mail
from gemwatch.adapters.notify.plugins import N_MGR
from gemwatch.core.events import TargetFormat
from gemwatch.core.text.message import LONGEST_TITLE, Message
from gemwatch.core.text.rendering import Format, Rendered, Room, render

_NOTIFY_FORMATS = {
    Format.TEXT: apprise.NotifyFormat.TEXT,
    Format.MARKDOWN: apprise.NotifyFormat.MARKDOWN,
    Format.HTML: apprise.NotifyFormat.HTML,
    Format.CARD: apprise.NotifyFormat.MARKDOWN,
    Format.SLACK: apprise.NotifyFormat.MARKDOWN,
}
_FORMATS = {
    TargetFormat.TEXT: Format.TEXT,
    TargetFormat.MARKDOWN: Format.MARKDOWN,
    TargetFormat.HTML: Format.HTML,
}

# The richest format of a service, if Apprise offers several or supports less than the service does.
_BEST = {
    "NotifyEmail": Format.HTML,
    "NotifySlack": Format.SLACK,
    "NotifyTelegram": Format.HTML,
    "NotifyDiscord": Format.MARKDOWN,
    "NotifyGuilded": Format.MARKDOWN,
    "NotifyDingTalk": Format.MARKDOWN,
    "NotifyZalo": Format.MARKDOWN,
    "NotifyMatrix": Format.HTML,
    "NotifyBrevo": Format.HTML,
    "NotifyMailerSend": Format.HTML,
    "NotifySendPulse": Format.HTML,
    "NotifyWorkflows": Format.CARD,
    # These take "text" and read Markdown in it.
    "NotifyMattermost": Format.MARKDOWN,
    "NotifyZulip": Format.MARKDOWN,
    "NotifyNextcloudTalk": Format.MARKDOWN,
    "NotifyFluxer": Format.MARKDOWN,
    "NotifyRyver": Format.MARKDOWN,
}
# Apprise's limit for Teams is far below the size limit of a card (28 KB), and Apprise does not truncate.
_ROOM = {"NotifyWorkflows": 10_000}
_TITLE_READS_MARKUP = frozenset({"NotifyWorkflows", "NotifyDiscord", "NotifyMattermost", "NotifyZulip"})
# The title is the subject of a mail: the body repeats it, with its sign and color.
_TITLE_IS_A_SUBJECT = frozenset(
    {"NotifyEmail", "NotifyOffice365", "NotifyBrevo", "NotifyMailerSend", "NotifySendGrid", "NotifySendPulse"}
)
# Their Markdown is not the usual one: what is Markdown elsewhere is refused, or formats.
_OWN_MARKDOWN = frozenset({"NotifySlack", "NotifyTelegram", "NotifyWorkflows"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape(Room):
    """The form of a plugin's messages.

    `body_format`: the value with which Apprise converts nothing. `both`: a mail contains the plain text too.
    """

    body_format: apprise.NotifyFormat
    both: bool = False

    def render(self, message: Message) -> Rendered:
        rendered = render(message, self.form, self.most, headed=self.headed)
        if self.form is Format.CARD:
            return replace(rendered, body=_without_mentions(rendered.body))
        if self.both:
            return replace(rendered, plain=render(message, Format.TEXT, self.most).body)
        return rendered


def shape_of(plugin: NotifyBase, wanted: TargetFormat) -> Shape:
    """The form of the plugin's messages: from the target's `format`, else `format=` in the URL, else the best one.

    Prepares the plugin, so that Apprise passes the body on in that format.
    """
    form = _form(plugin, wanted)
    plugin._format_override = None  # noqa: SLF001 (`format=` in the URL is taken into account, and may be overruled)
    if form is Format.MARKDOWN and isinstance(plugin, N_MGR["ntfy"]):
        plugin.notify_format = apprise.NotifyFormat.MARKDOWN
    taken, native = plugin._formats(), _NOTIFY_FORMATS[form]  # noqa: SLF001 (see _form)
    untitled = plugin.title_maxlen <= 0 or plugin.overflow_amalgamate_title
    name = type(plugin).__name__
    repeated = name in _TITLE_READS_MARKUP or (form is Format.HTML and name in _TITLE_IS_A_SUBJECT)
    headed = form is not Format.TEXT and (untitled or repeated)
    room = _ROOM.get(name, int(plugin.body_maxlen))
    return Shape(
        form=form,
        headed=headed,
        most=max(20, room - (LONGEST_TITLE + 2 if untitled and not headed else 0)),
        both=mail.sends(plugin) and form is Format.HTML,
        body_format=native if native in taken or form is Format.TEXT else taken[0],
    )


def _form(plugin: NotifyBase, wanted: TargetFormat) -> Format:
    taken = plugin._formats()  # noqa: SLF001 (the public resolve_format() answers for one format at a time)
    name = type(plugin).__name__
    best = _BEST.get(name) or _richest_but_text(taken)
    asked = _FORMATS.get(wanted) or _in_url(plugin)
    if asked is None or (asked is Format.MARKDOWN and name in _OWN_MARKDOWN):
        return best
    if asked is Format.TEXT or _NOTIFY_FORMATS[asked] in taken or isinstance(plugin, N_MGR["ntfy"]):
        return asked if asked is not Format.HTML or apprise.NotifyFormat.HTML in taken else best
    return best


def _richest_but_text(taken: tuple[apprise.NotifyFormat, ...]) -> Format:
    """Webhooks accept every format, and programs read them, so they get text. Others get the only one they accept."""
    if apprise.NotifyFormat.TEXT in taken:
        return Format.TEXT
    return Format.HTML if apprise.NotifyFormat.HTML in taken else Format.MARKDOWN


def _in_url(plugin: NotifyBase) -> Format | None:
    override = plugin._format_override  # noqa: SLF001 (what `format=` in the URL said)
    return None if override is None else Format(override.value)


def _without_mentions(card: str) -> str:
    """Apprise turns each `<at>name</at>` into a mention. An invisible joiner prevents that."""
    return re.sub(r"<(?=/?at>)", "<\u2060", card, flags=re.IGNORECASE)
