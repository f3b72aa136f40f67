"""Renders a message as Markdown: for chats, with foreign text as code, and for Adaptive Cards, which have no code."""

import re
from collections.abc import Callable
from typing import assert_never
from urllib.parse import quote

from gemwatch.core.text.message import (
    SIGNS,
    Block,
    Code,
    CopyableCommand,
    Fact,
    Foreign,
    Item,
    Line,
    Link,
    Message,
    Paragraph,
    Row,
)

_Inline = Callable[[Line], str]


def body(message: Message, *, headed: bool = False) -> str:
    """CommonMark in which text from outside is in code spans."""
    return _body(message, _with_code, _fenced, headed=headed)


def card(message: Message, *, headed: bool = False) -> str:
    """For a TextBlock: only bold, lists and links. Escapes only characters that would be markup."""
    return _body(message, _without_code, lambda text: _for_card(text, first=True), headed=headed)


def slack(message: Message, *, headed: bool = False) -> str:
    """As `body`, for Slack: lists with a bullet sign, and code spans that Slack knows."""
    text = _body(message, lambda line: _joined(line, lambda text, _first: _slack_code(text)), _fenced, headed=headed)
    return _BULLETS.sub("• ", text)


_BULLETS = re.compile(r"^[*-] ", re.MULTILINE)


def _slack_code(text: str) -> str:
    """One backtick on each side, or three if there is one in the text: Slack knows no other code."""
    if "`" not in text:
        return f"`{text}`" if text else ""
    inner = re.sub("`(?=``)", "`\u2060", text)
    return f"```{' ' * inner.startswith('`')}{inner}{' ' * inner.endswith('`')}```"


def _fenced(text: str) -> str:
    return f"```\n{text}\n```"


def code_span(text: str) -> str:
    """The text between enough backticks, so that nothing in it is markup."""
    if not text:
        return ""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    padded = text[0] == "`" or text[-1] == "`" or (text[0] == text[-1] == " " and text.strip(" "))
    return f"{fence} {text} {fence}" if padded else f"{fence}{text}{fence}"


_ACTIVE = re.compile(
    r"""
      \\(?=[!-/:-@\[-`{-~]|\Z)        # a backslash that would escape what follows it
    | [*`~\[\]]                       # emphasis, code, strikethrough, links
    | (?<![^\W_])_+ | _+(?![^\W_])    # underscores at the edge of a word; those within it do not act
    | <                               # HTML, mentions, autolinks
    | &(?=\#?\w+;)                    # an entity
    | (?<=\{)\{                       # a card's own {{DATE(...)}}
    """,
    re.VERBOSE,
)
_FIRST = re.compile(r"\s*(?:[#>+=-]|\d+[.)](?=\s|\Z))")  # the start of a heading, a quotation or a list


def escaped(text: str, *, first: bool = False) -> str:
    """The text with a backslash before each character that would be markup. `first`: it starts a line."""
    inert = _ACTIVE.sub(lambda found: "".join(f"\\{one}" for one in found[0]), text)
    if first and (found := _FIRST.match(inert)):
        return f"{inert[: found.end() - 1]}\\{inert[found.end() - 1 :]}"
    return inert


def _body(message: Message, inline: _Inline, command: Callable[[str], str], *, headed: bool) -> str:
    parts = [f"**{SIGNS[message.tone]} {inline(message.title)}**"] if headed else []
    previous: Block | None = None
    for block in message.blocks:
        text = _block(block, inline, command)
        if parts and _listed(block) and type(previous) is type(block):
            parts[-1] += f"\n{text}"
        else:
            parts.append(text)
        previous = block
    if message.last is not None:
        parts.append(escaped(message.last))
    return "\n\n".join(parts)


def _listed(block: Block) -> bool:
    return isinstance(block, Fact | Item | Row)


def _block(block: Block, inline: _Inline, command: Callable[[str], str]) -> str:
    match block:
        case Paragraph():
            return f"**{block.label}:** {inline(block.line)}" if block.label else inline(block.line)
        case Fact():
            return f"- **{block.label}:** {inline(block.line)}"
        case Item():
            return f"* {inline(block.line)}"  # another sign begins another list, next to the facts
        case CopyableCommand():
            return command(block.text)
        case Row():
            return f"- {' · '.join(map(inline, block.cells))}"
        case Link():
            return f"[{block.label}]({quote(block.url, safe=_IN_URL)})"
        case _:
            assert_never(block)


_IN_URL = ":/?#@!$&'*+,;=%~[]-._"  # all characters of a URL except parentheses


def _with_code(line: Line) -> str:
    return _joined(line, lambda text, _first: code_span(text))


def _without_code(line: Line) -> str:
    return _joined(line, lambda text, first: _for_card(text, first=first))


def _for_card(text: str, *, first: bool) -> str:
    """The escaped text. `<` becomes an entity, so that it cannot start `<at>`, a mention for Apprise and Teams."""
    return escaped(text, first=first).replace("\\<", "&lt;")


def _joined(line: Line, other: Callable[[str, bool], str]) -> str:
    """The joined spans of a line. Only the first one starts the line."""
    texts: list[str] = []
    for span in line:
        match span:
            case str():
                texts.append(escaped(span, first=not texts))
            case Foreign() | Code():
                texts.append(other(span.text, not texts))
            case _:
                assert_never(span)
    return "".join(texts)
