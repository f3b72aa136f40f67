"""Foreign text in every format, read back by real parsers: shown exactly, without active markup."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gemwatch.core.text.message import (
    Block,
    CopyableCommand,
    Fact,
    Foreign,
    Item,
    Link,
    Message,
    Paragraph,
    Row,
    foreign,
)
from gemwatch.core.text.rendering import Format, render

URL = "https://gemwatch.example.com/gem/jobs/7"
HOSTILE = [
    "<!channel> <@U123> @here",
    "[click](https://evil.example) <https://evil.example|click>",
    "https://evil.example www.evil.example 203.0.113.7.",
    "*b* **b** _i_ __u__ ~s~ ~~s~~ `c` ``c`` ||x||",
    "# heading",
    "- item",
    "1. item",
    "> quotation",
    "  > quotation",
    "  1. item",
    "```",
    "a_b_c a*b*c \\* \\_ \\",
    "<b>x</b><script>alert(1)</script><!-- x",
    "&lt;b&gt; &#42;x&#42; &amp;",
    "{{DATE(2026-02-18T13:21:07Z, SHORT)}}",
    "`",
    " ` ",
    "  two  spaces  ",
    "---",
    "===",
    "|a|b|",
    "![x](https://evil.example/x.png)",
    "<at>everyone</at>",
    "mailto:a@evil.example",
    "paypal.com evil.example:80 evil。example data.parquet.evil.com",
]
WORDS = st.sampled_from(HOSTILE) | st.text(
    alphabet=st.sampled_from("*_~`<>[]()!@#&|\\-+=.:/; {}19ab\u00e9") | st.characters(), min_size=1, max_size=40
)
OUTSIDE = st.lists(WORDS, min_size=1, max_size=6)


def message(words: Sequence[str]) -> tuple[Message, list[str]]:
    """A message with the text in every kind of block, and the expected display of that text."""
    shown = [one for word in words if (one := foreign(word)).text.strip()]
    blocks: list[Block] = []
    for one in shown:
        blocks += [Fact(label="Input", line=(one,)), Item(line=(one, " and more")), Paragraph(line=("of ", one, "."))]
        blocks += [Paragraph(line=(one,)), Row(cells=((one,), ("x",)))]
    whole = Message(
        title=("SUCCESS: ", *shown[:1]),
        blocks=(*blocks, CopyableCommand(text="az login"), Link(label="Job page", url=URL)),
        last="gw-7",
    )
    return whole, [one.text for one in shown for _ in range(5)]


def tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["strikethrough", "table"]).parse(text)


def inlines(text: str) -> list[Token]:
    return [token for token in tokens(text) if token.type == "inline"]


ACTING = {"em_open", "s_open", "html_inline", "html_block", "image", "heading_open", "blockquote_open", "hr"}


def acting(text: str) -> set[str]:
    """The markup that a Markdown parser finds in a text, apart from lists, bold labels and code."""
    every = [one for token in tokens(text) for one in (token, *(token.children or []))]
    links = [one.attrGet("href") for one in every if one.type == "link_open"]
    assert links == [URL]
    return {one.type for one in every} & (ACTING | {"ordered_list_open", "table_open"})


@given(OUTSIDE)
def test_markdown_shows_words_from_outside_as_code(words: list[str]) -> None:
    whole, shown = message(words)
    body = render(whole, Format.MARKDOWN).body
    assert acting(body) == set()
    codes = [one.content for token in inlines(body) for one in token.children or [] if one.type == "code_inline"]
    assert codes == shown


@given(OUTSIDE)
def test_card_shows_words_from_outside_as_text(words: list[str]) -> None:
    whole, shown = message(words)
    body = render(whole, Format.CARD).body
    assert acting(body) == set()
    assert "code_inline" not in {one.type for token in inlines(body) for one in token.children or []}
    assert not re.search(r"<at>|\{\{", body)
    texts = ["".join(one.content for one in token.children or []) for token in inlines(body)]
    wanted = [
        w for text in shown[::5] for w in (f"Input: {text}", f"{text} and more", f"of {text}.", text, f"{text} · x")
    ]
    assert [text.strip() for text in texts[: len(wanted)]] == [text.strip() for text in wanted]


SLACK_CODE = re.compile(r"```(.+?)```|`([^`\n]+)`")  # all the code that Slack knows; it has no escapes


@given(OUTSIDE)
def test_slack_shows_words_from_outside_as_code(words: list[str]) -> None:
    whole, shown = message(words)
    body = render(whole, Format.SLACK).body.partition("```\naz login\n```")[0]
    codes = [(one[1] or one[2]).replace("\u2060", "") for one in SLACK_CODE.finditer(body)]
    assert [code.strip() for code in codes] == [text.strip() for text in shown]
    outside = SLACK_CODE.sub("", body)
    assert re.fullmatch(r"[\s•:.*·x]*", outside.replace("Input", "").replace("and more", "").replace("of ", ""))


@pytest.mark.parametrize("form", [Format.MARKDOWN, Format.CARD])
def test_rules_and_facts_are_separate_lists(form: Format) -> None:
    blocks = (Item(line=("a rule",)), Item(line=("another",)), Fact(label="Input", line=("value",)))
    body = render(Message(title=("t",), blocks=blocks, last="gw-7"), form).body
    assert [token.type for token in tokens(body)].count("bullet_list_open") == 2


class Reader(HTMLParser):
    """The tags, the text of each code element, and every piece of text that no tag interrupts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.codes: list[str] = []
        self.pieces: list[str] = []
        self._open = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "code":
            self._open = True
            self.codes.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "code"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)
        if self._open:
            self.codes[-1] += data


LINKED = re.compile(r"://|@\w|\bwww\.|\b[\w-]+\.(?:com|example)\b|\b\d{1,3}(?:\.\d{1,3}){3}\b", re.IGNORECASE)


@given(OUTSIDE)
def test_html_shows_foreign_text_as_code_without_links(words: list[str]) -> None:
    whole, shown = message(words)
    reader = Reader(render(whole, Format.HTML, headed=True).body)
    assert reader.codes[1:] == shown or reader.codes == shown
    assert {tag for tag, _ in reader.tags} <= {"p", "b", "ul", "li", "table", "tr", "td", "code", "span", "pre", "a"}
    assert [attributes for tag, attributes in reader.tags if tag == "a"] == [{"href": URL}]
    assert not [piece for piece in reader.pieces if LINKED.search(piece)]


@given(OUTSIDE)
def test_text_shows_words_from_outside_exactly(words: list[str]) -> None:
    whole, shown = message(words)
    body = render(whole, Format.TEXT).body
    assert all(f"Input: {text}\n" in body for text in shown)
    assert body.endswith(f"\n{URL}\n\ngw-7") or f"Job page: {URL}" in body


@given(OUTSIDE, st.sampled_from(Format), st.integers(20, 2000), st.booleans())
def test_blocks_that_do_not_fit_are_dropped_but_not_the_id(
    words: list[str],
    form: Format,
    most: int,
    headed: bool,  # noqa: FBT001 (drawn)
) -> None:
    whole, _ = message(words)
    body = render(whole, form, most, headed=headed).body
    assert len(body) <= most
    assert body.removesuffix("</p>").endswith("gw-7")


@pytest.mark.parametrize("form", Format)
def test_blocks_are_left_out_from_below(form: Format) -> None:
    blocks = tuple(Fact(label=f"Fact {number}", line=("value",)) for number in range(9))
    whole = Message(title=("t",), blocks=blocks, last="gw-7")
    seen = [
        [number for number in range(9) if f"Fact {number}" in render(whole, form, most).body]
        for most in range(40, 400, 7)
    ]
    assert all(kept == list(range(len(kept))) for kept in seen)
    assert all(len(one) <= len(other) for one, other in pairwise(seen))
    assert seen[-1]


@pytest.mark.parametrize(
    "text", ["test_data.results.parquet", "a-b_c (2026-01-21.0), R&D #7: 50 % of 3 $.csv", "東京 v2.json"]
)
@pytest.mark.parametrize("form", [Format.TEXT, Format.MARKDOWN, Format.HTML, Format.CARD])
def test_ordinary_names_have_no_escapes(text: str, form: Format) -> None:
    whole = Message(title=("t",), blocks=(Fact(label="Input", line=(Foreign(text),)),), last="gw-7")
    assert text.replace("&", "&amp;" if form is Format.HTML else "&") in render(whole, form).body
