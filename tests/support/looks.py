"""Messages as their services show them, for pictures: what goes over the wire, on a page that looks alike."""

import json
import re
from collections.abc import Callable, Mapping
from html import escape

from markdown_it import MarkdownIt

from support.wire import wire

_STYLE = """
* { box-sizing: border-box }
body { margin: 0; background: #fff }
#message { width: 620px; padding: 14px 18px; font: 14px/1.45 sans-serif; overflow-wrap: anywhere }
#message code { font: 12px monospace; background: #f3f3f3; border: 1px solid #ddd; padding: 0 3px }
#message pre { margin: 4px 0; padding: 6px 8px; background: #f6f6f6; border: 1px solid #ddd; white-space: pre-wrap }
#message ul { margin: 4px 0; padding-left: 20px }
#message p { margin: 6px 0 }
#message a { color: #0b63c5 }
.head { color: #616061; font-size: 12px; margin-bottom: 8px }
.bubble { border: 1px solid #d8d8d8; border-radius: 10px; padding: 10px 14px; background: #fff }
"""
_SLACK = re.compile(r"```(.+?)```|`([^`\n]+)`|\*([^*\n]+)\*|<([^|>]+)\|([^>]+)>|\n", re.DOTALL)


def page(service: str, kind: str) -> str:
    """The page that shows a message, in the element `message`."""
    return (
        f'<!doctype html><meta charset="utf-8"><style>{_STYLE}</style><div id="message">{_LOOKS[service](kind)}</div>'
    )


def _mail(kind: str) -> str:
    head, _, rest = wire("mail", kind).partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    shown = "<br>".join(f"<b>{name}:</b> {escape(fields[name])}" for name in ("From", "To", "Subject"))
    body = rest.partition("--- text/html\n")[2]
    return f'<div class="head">{shown}</div><hr>{body}'


def _slack(kind: str) -> str:
    (card,) = _posted("slack", kind)["attachments"]
    text = _SLACK.sub(_slack_span, card["text"])
    border = f"border-left: 4px solid {card['color']}; padding-left: 12px"
    return f'<div class="head"><b>gemwatch</b> APP</div><div style="{border}"><b>{card["title"]}</b><br>{text}</div>'


def _slack_span(found: re.Match[str]) -> str:
    fenced, code, bold, url, label = found.groups()
    if url:
        return f'<a href="{url}">{label}</a>'
    if bold:
        return f"<b>{bold}</b>"
    if fenced and "\n" in fenced:
        return f"<pre>{fenced.strip()}</pre>"
    return f"<code>{fenced or code}</code>" if fenced or code else "<br>"


def _teams(kind: str) -> str:
    card = json.loads(wire("teams", kind))["attachments"][0]["content"]
    shown = "".join(MarkdownIt("commonmark").render(block["text"]) for block in card["body"])
    return f'<div class="head"><b>Workflows</b></div><div class="bubble">{shown}</div>'


def _telegram(kind: str) -> str:
    text = _posted("telegram", kind)["text"].replace("\r\n", "<br>")
    return f'<div class="head"><b>gemwatch</b> bot</div><div class="bubble" style="background: #effdde">{text}</div>'


def _ntfy(kind: str) -> str:
    post = _posted("ntfy", kind)
    high = "X-Priority: high" in wire("ntfy", kind)
    priority = ' <b style="color: #c60000">high priority</b>' if high else ""
    body = f'<div style="white-space: pre-wrap">{escape(post["message"])}</div>'
    return f'<div class="bubble"><div class="head">gem{priority}</div><b>{escape(post["title"])}</b>{body}</div>'


def _posted(service: str, kind: str) -> Mapping[str, str]:
    posted: dict[str, str] = json.loads(wire(service, kind).partition("\n\n")[2].replace('"ts": TIME', '"ts": 0'))
    return posted


_LOOKS: Mapping[str, Callable[[str], str]] = {
    "mail": _mail,
    "slack": _slack,
    "teams": _teams,
    "telegram": _telegram,
    "ntfy": _ntfy,
}
ALL = tuple(_LOOKS)
