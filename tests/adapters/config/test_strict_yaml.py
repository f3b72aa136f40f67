"""The YAML subset: plain values, limits, and flaws with their places."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.config.strict_yaml import NOTHING, Plain, read

LOADERS = [getattr(yaml, "CBaseLoader", yaml.BaseLoader), yaml.BaseLoader]


@pytest.fixture(params=LOADERS, ids=["libyaml", "pure Python"])
def loader(request: pytest.FixtureRequest) -> Any:
    return request.param


def values(text: str) -> Any:
    return read(text, str).value


def told(text: str, loader: Any = LOADERS[0], expand: Callable[[str], str] = str) -> list[str]:
    found = read(text, expand, loader)
    flaws = [*found.flaws, *([found.broken] if found.broken else [])]
    return [f"{flaw.line}:{flaw.column}: {flaw.what}" for flaw in flaws]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("12", 12),
        ("-12", -12),
        ("0", 0),
        ("1.5", 1.5),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("on", "on"),
        ("off", "off"),
        ("0123", "0123"),
        ("0o17", "0o17"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("1e3", "1e3"),
        ("+5", "+5"),
        (".5", ".5"),
        (".inf", ".inf"),
        ("2026-11-23", "2026-11-23"),
        ('"12"', "12"),
        ("'true'", "true"),
        ("<<", "<<"),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_scalar_has_the_type_that_readers_expect(written: str, meant: object) -> None:
    value = values(f"[{written}]" if written else "key:\n")
    assert value == ([meant] if written else {"key": None})
    assert type((value if written else [value["key"]])[0]) is type(meant)


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("a: 1\nb: 2\na: 3\n", '3:1: duplicate key "a"; first at line 1'),
        ("a: {b: 1, b: 2}\n", '1:11: duplicate key "b"; first at line 1'),
        ("1: x\n", "1:1: this key is not plain text; put it in quotes"),
        ("true: x\n", "1:1: this key is not plain text; put it in quotes"),
        ("? [a]\n: x\n", "1:3: this key is not plain text; put it in quotes"),
        ("a: &x 1\n", "1:4: anchors (&name) are not supported; put text that begins with & in quotes"),
        ("a: !secret x\n", "1:4: tags (!name) are not supported; put text that begins with ! in quotes"),
        ("a: ! x\n", "1:4: tags (!name) are not supported; put text that begins with ! in quotes"),
        ("a: *x\n", "1:4: aliases (*name) are not supported; put text that begins with * in quotes"),
        ('a: "\\x07"\n', "1:4: contains a control character"),
        ("a: 1\n---\nb: 2\n", "2:1: a second document begins here; write only one per file"),
    ],
)
def test_unsupported_yaml_is_reported_with_its_place(text: str, flaw: str, loader: Any) -> None:
    assert told(text, loader) == [flaw]


def test_all_flaws_up_to_a_syntax_error_are_reported() -> None:
    flaws = told("a: &x 1\nb: *x\nc: !t 2\nc: 3\nd: ]\n")
    assert [flaw.partition(" ")[0] for flaw in flaws] == ["1:4:", "2:4:", "3:4:", "4:1:", "5:4:"]


def test_tab_is_named_in_the_message(loader: Any) -> None:
    assert told("a:\n\tb: 1\n", loader) == ["2:1: a tab where YAML needs spaces"]


def test_reference_in_braces_without_quotes_gets_a_hint(loader: Any) -> None:
    [flaw] = told("notify:\n  slack: {url: ${SLACK_URL}}\n", loader)
    assert flaw.startswith("2:")
    assert flaw.endswith('; inside { } and [ ] write a reference in quotes: "${NAME}"')


@pytest.mark.parametrize("text", ["key: !s3cret!hunter2 x\n", "key: *hunter2\n", "a: &hunter2 1\nb: &hunter2 2\n"])
def test_messages_never_quote_the_file(text: str, loader: Any) -> None:
    assert told(text, loader)
    assert "hunter2" not in str(told(text, loader))


def test_alias_bomb_is_refused(loader: Any) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))
    assert told(bomb, loader)[1].startswith("2:5: anchors")


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_ends_at_the_fortieth_level(bracket: str, loader: Any) -> None:
    [flaw] = told(bracket * 900, loader)
    assert flaw == f"1:{40 * len(bracket) + 1}: nested deeper than 40 levels"


@pytest.mark.parametrize("bracket", ["[", "{a: ", "- ", "? "])
def test_endless_nesting_is_refused(bracket: str, loader: Any) -> None:
    [flaw] = told(bracket * 200_000, loader)
    assert flaw.endswith(": nested deeper than 40 levels")  # a libyaml with its own limit notices it later


def test_text_without_a_document_has_no_value() -> None:
    assert read("# only\n# comments\n", str).value is NOTHING
    assert read("", str).value is NOTHING


@pytest.mark.parametrize(
    ("at", "key", "place"),
    [
        ((), False, (1, 1)),
        (("a",), True, (1, 1)),
        (("a",), False, (2, 3)),
        (("a", "b"), True, (2, 3)),
        (("a", "b", 1), False, (2, 10)),
        (("a", "b", 7), False, (2, 6)),
        (("z", 3), False, (1, 1)),
    ],
)
def test_place_is_of_the_value_or_what_contains_it(
    at: tuple[str | int, ...], *, key: bool, place: tuple[int, int]
) -> None:
    assert read("a:\n  b: [1, 2]\n", str).find(at, key=key) == place


def test_dropped_values_do_not_shift_later_places() -> None:
    found = read("? [a, b, c]\n: [1]\nd: [1, 2]\nd: [3, 4, 5]\ne: [{f: 1}]\n", str)
    assert found.value == {"d": [1, 2], "e": [{"f": 1}]}
    assert [found.find(at) for at in (("d", 1), ("e", 0), ("e", 0, "f"))] == [(3, 8), (5, 5), (5, 9)]


@given(st.text())
def test_arbitrary_texts_never_raise(text: str) -> None:
    assert isinstance(read(text.encode(errors="ignore").decode(), str), Plain)
