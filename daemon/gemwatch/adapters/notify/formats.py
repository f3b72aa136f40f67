"""In which format each service shows messages best, and how Apprise passes that format on unchanged."""

import re
from dataclasses import dataclass, replace

import apprise
from apprise.plugins.base import NotifyBase

from gemwatch.adapters.notify import mail
from gemwatch.adapters.notify.plugins import N_MGR
from gemwatch.core.events import TargetFormat
from gemwatch.core.text.message import LONGEST_TITLE, Message
from gemwatch.core.text.rendering import Format, Rendered, render

_NOTIFY_FORMATS = {
    Format.TEXT: apprise.NotifyFormat.TEXT,
    Format.MARKDOWN: apprise.NotifyFormat.MARKDOWN,
    Format.HTML: apprise.NotifyFormat.HTML,
    Format.CARD: apprise.NotifyFormat.MARKDOWN,
}
_FORMATS = {
    TargetFormat.TEXT: Format.TEXT,
    TargetFormat.MARKDOWN: Format.MARKDOWN,
    TargetFormat.HTML: Format.HTML,
}

# The richest format that a service shows, where Apprise offers several or knows less than the service does.
_BEST = {
    "NotifyEmail": Format.HTML,
    "NotifySlack": Format.MARKDOWN,
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
# Apprise's limit for Teams is far below what a card may hold (28 KB), and it cuts nothing off.
_ROOM = {"NotifyWorkflows": 10_000}
_TITLE_READS_MARKUP = frozenset({"NotifyWorkflows", "NotifyDiscord", "NotifyMattermost", "NotifyZulip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How a plugin's messages are written, as `engine.ports.Room` has it.

    `headed`: the title is part of the body, since the service has none or reads markup in it. `most`: characters of
    body. `body_format`: what Apprise is told, so that it converts nothing. `both`: mail carries
    the text as well.
    """

    form: Format
    headed: bool
    most: int
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
    """The target's `format` decides, then `format=` in the URL, then what the service shows best.

    Prepares the plugin, so that Apprise passes the body on in that format.
    """
    form = _form(plugin, wanted)
    plugin._format_override = None  # noqa: SLF001 (`format=` in the URL is taken into account, and may be overruled)
    if form is Format.MARKDOWN and isinstance(plugin, N_MGR["ntfy"]):
        plugin.notify_format = apprise.NotifyFormat.MARKDOWN
    taken, native = plugin._formats(), _NOTIFY_FORMATS[form]  # noqa: SLF001 (see _form)
    untitled = plugin.title_maxlen <= 0 or plugin.overflow_amalgamate_title
    headed = form is not Format.TEXT and (untitled or type(plugin).__name__ in _TITLE_READS_MARKUP)
    room = _ROOM.get(type(plugin).__name__, int(plugin.body_maxlen))
    return Shape(
        form=form,
        headed=headed,
        most=max(20, room - (LONGEST_TITLE + 2 if untitled and not headed else 0)),
        both=mail.sends(plugin) and form is Format.HTML,
        body_format=native if native in taken or form is Format.TEXT else taken[0],
    )


def _form(plugin: NotifyBase, wanted: TargetFormat) -> Format:
    taken = plugin._formats()  # noqa: SLF001 (the public resolve_format() answers for one format at a time)
    best = _BEST.get(type(plugin).__name__) or _richest_but_text(taken)
    asked = _FORMATS.get(wanted) or _in_url(plugin)
    if asked is None or (best is Format.CARD and asked is Format.MARKDOWN):
        return best
    if asked is Format.TEXT or _NOTIFY_FORMATS[asked] in taken or isinstance(plugin, N_MGR["ntfy"]):
        return asked if asked is not Format.HTML or apprise.NotifyFormat.HTML in taken else best
    return best


def _richest_but_text(taken: tuple[apprise.NotifyFormat, ...]) -> Format:
    """Webhooks take every format, and a program reads them: text. Services that take only one get that."""
    if apprise.NotifyFormat.TEXT in taken:
        return Format.TEXT
    return Format.HTML if apprise.NotifyFormat.HTML in taken else Format.MARKDOWN


def _in_url(plugin: NotifyBase) -> Format | None:
    override = plugin._format_override  # noqa: SLF001 (what `format=` in the URL said)
    return None if override is None else Format(override.value)


def _without_mentions(card: str) -> str:
    """Apprise makes a mention of each `<at>name</at>`; an invisible joiner keeps names from becoming one."""
    return re.sub(r"<(?=/?at>)", "<\u2060", card, flags=re.IGNORECASE)
