"""Every message in every format, exactly as sent. `make golden` writes the files; review their changes."""

import pytest

from gemwatch.core.kinds import EventKind, ServiceFacts
from support.messages import CATALOGUE, EVENTS, GOLDEN, catalogue, golden

FILES = golden()


@pytest.mark.parametrize("name", sorted(FILES))
def test_sent_text_matches_the_golden_file(name: str) -> None:
    assert (GOLDEN / name).read_text() == FILES[name]


def test_golden_files_are_those_of_the_samples() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == set(FILES)


def test_every_kind_of_event_has_a_sample() -> None:
    assert {event.kind for event in EVENTS.values()} > set(EventKind)


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind.traits.scope == "service"])
def test_every_failure_has_a_sample_of_its_recovery(kind: EventKind) -> None:
    facts = [event.facts for event in EVENTS.values() if event.kind is kind]
    assert {one.over for one in facts if isinstance(one, ServiceFacts)} == {True, False}


def test_docs_show_every_message() -> None:
    assert CATALOGUE.read_text() == catalogue()
