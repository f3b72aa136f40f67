"""Texts on one line: visible characters stay unchanged, invisible ones are removed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.text.sanitize import shorten, single_line, visible

ODD = st.text(alphabet=st.characters() | st.sampled_from(" \t\r\n\u200b\u202e\u2028\u2066\u3000\ufe0f\u034f\u3164"))


@pytest.mark.parametrize(
    "text",
    [
        "test_data.results.parquet",
        "2026-02-18 Nederland (v2), R&D + O'Brien [final].parquet",
        r"C:\data\in.parquet",
        "*b* _i_ ~s~ `c` ||x|| <b> @here #general https://evil.example",
        " two  spaces ",
        "Straßen in Österreich, 東京\u3000駅",
    ],
)
def test_visible_characters_stay(text: str) -> None:
    assert visible(text, 200) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\r\nBcc: b\x00\x1b[31m\u2028c\x85d\te", "a Bcc: b [31m c d e"),
        ("ev\u200bil\u202etxt\u2066\ufeff\U000e0041\ud800", "eviltxt"),
        ("paypal\ufe0f.com", "paypal.com"),
        ("a\u034fb\u115fc\u1160d\u3164e\uffa0f\u2800g\u00adh\u17b4i", "abcdefghi"),
        ("\u200b\u202e\u3164", ""),
    ],
)
def test_invisible_characters_are_removed(text: str, shown: str) -> None:
    assert visible(text, 200) == shown


def test_long_text_keeps_both_ends() -> None:
    assert visible("begin" + "x" * 50 + "end.parquet", 30) == "beginxxxxxxxxxxxxxx…nd.parquet"
    assert single_line("begin" + "x" * 10**6 + "end.parquet", 30) == "beginxxxxxxxxxxxxxx…nd.parquet"
    assert shorten("abc", 0) == ""


@given(ODD, st.integers(0, 300))
def test_no_text_gets_longer_or_has_two_lines(text: str, most: int) -> None:
    shown = visible(text, most)
    assert len(shown) <= most
    assert not any(character.isspace() for character in shown.replace(" ", "")) or shown.splitlines() == [shown]


@given(ODD, st.integers(0, 300))
def test_single_line_has_single_spaces(text: str, most: int) -> None:
    shown = single_line(text, most)
    assert len(shown) <= most
    assert shown == shorten(" ".join(shown.split()), most) or "…" in shown
