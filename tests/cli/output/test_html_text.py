"""HTML messages as people read them on a terminal."""

import pytest

from gemwatch.cli.output.html_text import text_of
from gemwatch.core.text.message import plain
from gemwatch.core.text.rendering import Format, render
from support.messages import messages


@pytest.mark.parametrize("name", [name for name in messages() if "summary" not in name])
def test_html_reads_like_the_text_of_the_message(name: str) -> None:
    message = messages()[name]
    text = render(message, Format.TEXT).body
    shown = text_of(render(message, Format.HTML, headed=True).body)
    words = [line.removeprefix("- ") for line in shown.splitlines() if line.strip()]
    assert words[0].partition(" ")[2].endswith(plain(message.title))
    assert words[1:] == [line.removeprefix("- ") for line in text.splitlines() if line.strip()]


def test_lists_and_rows_have_lines_of_their_own() -> None:
    page = "<p><b>Why:</b> x</p>\n<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n"
    page += "<table><tr><td>a</td><td></td><td>b</td></tr></table>"
    assert text_of(page) == "Why: x\n\n- one\n- two\n\n- a · b"
