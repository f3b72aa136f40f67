"""Event facts through the store's JSON and back."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.store.facts_codec import from_json, to_json
from gemwatch.core.estimates.estimate import Basis
from gemwatch.core.events import Event
from gemwatch.core.kinds import EventKind, Facts, LoginFacts, StartedFacts, UnknownFacts, UnknownKind
from gemwatch.core.refusals import Culprit
from support.events import facts_of

TIME = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2990, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the zone follows)
BY_TYPE: dict[type, st.SearchStrategy[Any]] = {
    datetime: TIME,
    timedelta: st.timedeltas(timedelta(), timedelta(days=36_500)),
    float: st.floats(allow_nan=False, allow_infinity=False),
}


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_survives_a_round_trip(kind: EventKind) -> None:
    facts = facts_of(kind)
    assert from_json(kind.value, json.loads(json.dumps(to_json(facts)))) == facts


@pytest.mark.parametrize(
    "of", [one for one in get_args(Facts) if one is not UnknownFacts], ids=lambda one: one.__name__
)
def test_every_value_of_every_kind_survives_a_round_trip(of: type) -> None:
    for known, strategy in BY_TYPE.items():
        st.register_type_strategy(known, strategy)

    @given(st.from_type(of))
    def survives(facts: Any) -> None:
        assert from_json(facts.kind.value, json.loads(json.dumps(to_json(facts)))) == facts

    survives()


def test_new_fields_of_a_newer_version_are_ignored() -> None:
    facts = facts_of(EventKind.LOGIN)
    assert from_json("login", {**to_json(facts), "novelty": {"a": 1}}) == facts


def test_words_of_a_newer_version_keep_the_message() -> None:
    login = from_json("login", {**to_json(facts_of(EventKind.LOGIN)), "culprit": "novelty"})
    assert isinstance(login, LoginFacts)
    assert login.culprit is Culprit.UNKNOWN
    estimate = dict.fromkeys(("ends_at", "earliest", "latest"), "2026-01-01T00:00:00Z")
    facts = {**to_json(facts_of(EventKind.STARTED)), "estimate": {**estimate, "runs": 5, "basis": "novelty"}}
    started = from_json("started", facts)
    assert isinstance(started, StartedFacts)
    assert started.estimate is not None
    assert started.estimate.basis is Basis.TYPE


@pytest.mark.parametrize("stored", [{}, {"over": "perhaps"}, {"job": 7}, [], None, "text", 7])
@pytest.mark.parametrize("kind", [*EventKind, UnknownKind("quota-changed")])
def test_unreadable_facts_become_neutral(kind: EventKind | UnknownKind, stored: Any) -> None:
    facts = from_json(kind.value, stored)
    assert isinstance(facts, UnknownFacts)
    assert Event(at=datetime(2026, 1, 1, tzinfo=UTC), facts=facts).kind == UnknownKind(kind.value)


def test_neutral_facts_are_kept_unchanged() -> None:
    stored = {"quota": [5], "since": "2026-01-01"}
    assert to_json(from_json("quota-changed", stored)) == stored
