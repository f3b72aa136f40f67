"""Converts event facts to and from the store's JSON: one object per event, with the fields of its dataclass.

Times are in ISO 8601, durations are ISO 8601 durations. Fields with their default value are omitted.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from gemwatch.core.kinds import FACTS, EventKind, Facts, UnknownFacts


def to_json(facts: Facts) -> dict[str, Any]:
    """The facts as a JSON object."""
    if isinstance(facts, UnknownFacts):
        return dict(facts.raw)
    stored: dict[str, Any] = _adapter(facts.kind.value).dump_python(facts, mode="json", exclude_defaults=True)
    return stored


def from_json(word: str, stored: Any) -> Facts:
    """The facts of an event of this kind. Never raises: unreadable facts become `UnknownFacts`."""
    from pydantic import ValidationError  # noqa: PLC0415 (commands that show no message need not load it)

    try:
        if word in tuple(EventKind):
            facts: Facts = _adapter(word).validate_python(stored)
            return facts
    except ValidationError:
        pass
    return UnknownFacts(word=word, raw=stored if isinstance(stored, Mapping) else {})


@cache
def _adapter(word: str) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415 (as above)

    return TypeAdapter(FACTS[EventKind(word)])
