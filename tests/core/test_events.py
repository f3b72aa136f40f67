"""The table of event kinds is complete for every kind."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import gemwatch
from gemwatch.core.events import Target, audience
from gemwatch.core.kinds import DEFAULT_EVENTS, FACTS, IN_SUMMARY, JOB_EVENTS, EventKind, UnknownKind, kind_of
from gemwatch.core.text.compose import compose
from gemwatch.core.text.message import LONGEST_TITLE
from gemwatch.core.text.rendering import Format, Rendered, render
from gemwatch.core.text.summary import summarise
from gemwatch.core.traits import Scope
from support.events import AT, event_of

NEWER = UnknownKind("quota-changed")


def text(kind: EventKind | UnknownKind) -> Rendered:
    return render(compose(12, event_of(kind), now=AT), Format.TEXT)


def test_every_kind_has_one_place_in_a_summary() -> None:
    assert sorted(IN_SUMMARY) == sorted(EventKind)


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_is_found_by_its_name(kind: EventKind) -> None:
    assert kind_of(kind.value) is kind


@pytest.mark.parametrize("kind", [*EventKind, NEWER])
def test_every_kind_has_a_title_and_a_text(kind: EventKind | UnknownKind) -> None:
    message = text(kind)
    assert 0 < len(message.title) <= LONGEST_TITLE
    assert message.body.splitlines()[0]
    assert message.body.endswith("\ngw-12")


def test_titles_tell_the_kinds_apart() -> None:
    titles = {text(kind).title for kind in (*EventKind, NEWER)}
    assert len(titles) == len(EventKind) + 1


def test_labels_and_outcomes_tell_the_kinds_apart() -> None:
    assert len({kind.traits.label for kind in EventKind}) == len(EventKind)
    assert len({kind.traits.outcome for kind in EventKind}) == len(EventKind)


def test_summary_has_a_line_for_every_kind_in_order() -> None:
    letters = [(number, event_of(kind)) for number, kind in enumerate((NEWER, *EventKind), 101)]
    lines = render(summarise(letters, now=AT), Format.TEXT).body.splitlines()
    expected = [f"gw-{102 + list(EventKind).index(kind)}" for kind in IN_SUMMARY]
    assert [line.rsplit(" · ", 1)[1] for line in lines[: len(letters)]] == [*expected, "gw-101"]


def made_in(path: Path) -> Iterator[str]:
    """The classes that a module makes objects of, or chooses between."""
    for node in ast.walk(ast.parse(path.read_text())):
        made = [node.func] if isinstance(node, ast.Call) else []
        made += [node.body, node.orelse] if isinstance(node, ast.IfExp) else []
        yield from (
            one.value.id for one in made if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name)
        )
        yield from (one.id for one in made if isinstance(one, ast.Name))


def test_every_kind_is_caused_by_something() -> None:
    modules = (Path(gemwatch.__file__).parent / folder for folder in ("core", "engine"))
    made = {name for folder in modules for path in folder.rglob("*.py") for name in made_in(path)}
    without = {kind for kind, facts in FACTS.items() if facts.__name__ not in made}
    assert without == set()


def test_only_started_is_off_by_default() -> None:
    assert set(EventKind) - DEFAULT_EVENTS == {EventKind.STARTED}


def test_kinds_are_about_a_job_a_group_or_the_service() -> None:
    service = {kind for kind in EventKind if kind.traits.scope is Scope.SERVICE}
    assert {kind.value for kind in service} == {"login", "api", "config", "store", "target"}
    assert set(EventKind) - JOB_EVENTS - service == {EventKind.GROUP_DONE}


def test_unknown_kind_is_neutral() -> None:
    assert kind_of("quota-changed") == NEWER
    assert NEWER.traits.label == "Quota changed"
    assert audience(event_of(NEWER), [Target(name="all", url="json://h", on=frozenset(EventKind))]) == ()
    message = text(NEWER)
    assert message.title == "gemwatch: Quota changed"
    assert "A newer version of gemwatch recorded this event (quota-changed)." in message.body
