"""Texts from outside: what is ordinary stays, what could act is disarmed."""

# ruff: noqa: RUF001 (look-alikes are the point)

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.text.sanitize import sanitize, shorten, single_line

ODD = st.text(alphabet=st.characters() | st.sampled_from("<>@:/.*_~`|[]()#&;\\\r\n\u200b\u202e\u2028\u2066 evilcom"))


@pytest.mark.parametrize(
    "text",
    [
        "test_data.results.parquet",
        "2026-02-18 Nederland (v2), R&D + O'Brien [final].parquet",
        "MAP1.204",
        "2026-01-21.0",
        "/data/in/zuid-holland_part_07.geoparquet",
        r"C:\data\in.parquet",
        "Run #7: 50 % of 3 $",
        "Straßen in Österreich, 東京",
        "IN_PROGRESS",
    ],
)
def test_an_ordinary_name_stays_byte_for_byte(text: str) -> None:
    assert sanitize(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<!channel> <@U123> <#C1|x>", "‹!channel› ‹[@]U123› ‹♯C1¦x›"),
        ("@here @everyone @channel", "[@]here [@]everyone [@]channel"),
        ("https://evil.example/x?y", "https[:]//evil[.]example/x?y"),
        ("www.evil.example evil.example:80", "www[.]evil[.]example evil[.]example:80"),
        ("evil.com/data.parquet", "evil[.]com/data.parquet"),
        ("data.parquet.evil.com", "data[.]parquet[.]evil[.]com"),
        ("evil。example evil．com 10.0.0.1", "evil[.]example evil[.]com 10[.]0[.]0[.]1"),
        ("export.zip notes.md", "export[.]zip notes[.]md"),
        ("mailto:a@example.com", "mailto:a[@]example[.]com"),
        ("*b* _i_ __u__ ~s~ `c` ||x||", "∗b∗ ˍiˍ ˍˍuˍˍ ∼s∼ ʹcʹ ¦¦x¦¦"),
        ("a__b _tmp_file", "aˍˍb ˍtmp_file"),
        ("[click](evil) @(evil)", "[click] (evil) [@] (evil)"),
        (":boom: :+1: 13:21:07", "∶boom: ∶+1: 13:21:07"),
        ("&lt;!here&gt; &#64; A&B", "＆lt;!here＆gt; ＆#64; A&B"),
        (r"\\server\share", r"\server\share"),
        ("#general", "♯general"),
        ("<b>x</b><script>", "‹b›x‹/b›‹script›"),
        ("a\r\nBcc: b\x00\x1b[31m\u2028c\x85d\te", "a Bcc: b [31m c d e"),
        ("ev\u200bil\u202etxt\u2066\ufeff\U000e0041\ud800", "eviltxt"),
        ("\u200b\u202e \r\n", ""),
    ],
)
def test_what_could_act_is_disarmed_where_one_can_see_it(text: str, shown: str) -> None:
    assert sanitize(text) == shown


def test_dots_may_stay_where_the_writer_is_trusted() -> None:
    assert sanitize("notify.team.url: @x", keep_dots=True) == "notify.team.url: [@]x"


def test_a_long_text_keeps_both_ends() -> None:
    assert sanitize("begin" + "x" * 50 + "end.parquet", 30) == "beginxxxxxxxxxxxxxx…nd.parquet"
    assert sanitize("begin" + "x" * 10**6 + "end.parquet", 30) == "beginxxxxxxxxxxxxxx…nd.parquet"
    assert shorten("abc", 0) == ""


@given(ODD, st.integers(0, 300))
def test_no_text_gets_longer_than_asked_and_none_holds_what_acts(text: str, most: int) -> None:
    shown = sanitize(text, most)
    assert len(shown) <= most
    assert shown.isprintable()
    assert shown == " ".join(shown.split())
    assert not set("<>*~`|") & set(shown)
    assert "@" not in shown.replace("[@]", "").replace("[@", "").replace("@]", "")
    assert "://" not in shown
    assert "](" not in shown
    assert not re.search(r"(^|[^\w])_|_([^\w]|$)|__", shown)


@given(ODD, st.integers(0, 300))
def test_our_own_words_lose_only_what_cannot_be_seen(text: str, most: int) -> None:
    shown = single_line(text, most)
    assert len(shown) <= most
    assert shown.isprintable()
