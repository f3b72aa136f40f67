"""YAML without its surprises: a small, bounded subset becomes plain values, each mistake with its place.

`on` is a word, `0123` is no number, a key stands once, and anchors, aliases and tags are refused.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from gemwatch.adapters.config.references import BadReference
from gemwatch.adapters.config.values import quoted

DEEPEST = 40
MOST_NODES = 2_000_000

Place = tuple[str | int, ...]
"""The way to a value: keys and indexes from the top of its document."""

# The C parser where there is one; "Base": every scalar stays a string.
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,29})")  # longer ones are no id and no count: they stay text
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_OTHERS_WORDS = re.compile(r" ?'(?!<)[^']{2,}'")

NOTHING: Any = object()
"""The value of a text without a document."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """A mistake in a document. Line and column count from 1."""

    at: Place
    line: int
    column: int
    what: str


@dataclass(slots=True)
class Plain:
    """What a text holds: plain values, and the flaws met on the way.

    `unresolved` are the places of values that could not be had, each with its flaw. `broken` is where reading had
    to stop; then `value` is `NOTHING`.
    """

    value: Any
    flaws: list[Flaw]
    unresolved: set[Place]
    marks: "_Marks"
    broken: Flaw | None = None

    def find(self, at: Place, *, key: bool = False) -> tuple[int, int]:
        """Line and column of a value, or of its key; of the nearest thing around it if it is not there itself."""
        value, mark = self.value, self.marks.root
        for step, part in enumerate(at, 1):
            if isinstance(value, dict) and part in value:
                index = 2 * list(value).index(part)
                key_mark, mark, value = *self.marks.of(value)[index : index + 2], value[part]
                if key and step == len(at):
                    mark = key_mark
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                mark, value = self.marks.of(value)[part], value[part]
            else:
                break
        return (mark >> 32) + 1, (mark & 0xFFFF_FFFF) + 1


class _Marks:
    """Where values stand, in few and small objects: a list of a million values is held as well as a short one.

    For each list the marks of its items, for each mapping those of its keys and values in turn. A mark is the line
    in the upper and the column in the lower 32 bits.
    """

    def __init__(self) -> None:
        self.root = 0
        self._of: dict[int, array[int]] = {}

    def begin(self, container: list[Any] | dict[str, Any]) -> "array[int]":
        """Fresh marks for a fresh container, also where one that was let go had the same id."""
        marks = self._of[id(container)] = array("Q")
        return marks

    def of(self, container: list[Any] | dict[str, Any]) -> "array[int]":
        return self._of[id(container)]


def read(text: str, expand: Callable[[str], str], loader: Any = LOADER) -> Plain:
    """The values of a text; `expand` resolves the references in each string and may raise `BadReference`.

    Made from the parser's events and not from its nodes: deep nesting kills the process in the C composer, which
    recurses, aliases make small texts endless, and a large list of nodes keeps the garbage collector busy for
    seconds.
    """
    walk = _Walk(yaml.parse(text, Loader=loader), expand)
    try:
        return Plain(walk.document(), walk.flaws, walk.unresolved, walk.marks)
    except _TooMuch as error:
        broken = error.flaw
    except yaml.YAMLError as error:
        broken = _syntax_flaw(error, text)
    return Plain(NOTHING, walk.flaws, walk.unresolved, walk.marks, broken)


class _TooMuch(Exception):  # noqa: N818 (it says what the text holds)
    def __init__(self, event: yaml.Event, what: str) -> None:
        self.flaw = _flaw_at(event, what, ())


class _Walk:
    """One pass over the events of a text."""

    def __init__(self, events: Iterator[Any], expand: Callable[[str], str]) -> None:
        self.flaws: list[Flaw] = []
        self.unresolved: set[Place] = set()
        self.marks = _Marks()
        self._events = events
        self._expand = expand
        self._depth = self._nodes = 0

    def document(self) -> Any:
        value = NOTHING
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                self.marks.root = _mark(event)
                value = self._value(event, ())
            elif isinstance(event, yaml.DocumentStartEvent) and value is not NOTHING:
                raise _TooMuch(event, "a second document begins here; a file holds one")
        return value

    def _value(self, event: Any, at: Place) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _TooMuch(event, f"more than {MOST_NODES} values in one file")
        if event.anchor is not None or event.tag is not None:
            self._refuse(event, _unsupported(event), at)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, at)
        if isinstance(event, yaml.AliasEvent):
            return ""
        self._depth += 1
        if self._depth > DEEPEST:
            raise _TooMuch(event, f"nested deeper than {DEEPEST} levels")
        value = self._sequence(at) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(at)
        self._depth -= 1
        return value

    def _scalar(self, event: Any, at: Place) -> object:
        value = _scalar_value(event)
        if not isinstance(value, str):
            return value
        if "$" in value:
            try:
                value = self._expand(value)
            except BadReference as bad:
                return self._refuse(event, str(bad), at)
        if _CONTROL.search(value):
            return self._refuse(event, "holds a control character", at)
        return value

    def _refuse(self, event: yaml.Event, what: str, at: Place) -> str:
        self.flaws.append(_flaw_at(event, what, at))
        self.unresolved.add(at)
        return ""

    def _sequence(self, at: Place) -> list[Any]:
        items: list[Any] = []
        marks = self.marks.begin(items)
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            marks.append(_mark(event))
            items.append(self._value(event, (*at, len(items))))
        return items

    def _mapping(self, at: Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        marks = self.marks.begin(found)
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, at)
            value_event = next(self._events)
            value = self._value(value_event, at if key is None else (*at, key))
            if key in found:
                first = (marks[2 * list(found).index(key)] >> 32) + 1
                self.flaws.append(_flaw_at(event, f"duplicate key{quoted(key)}; first at line {first}", at))
            elif key is not None:
                found[key] = value
                marks.extend((_mark(event), _mark(value_event)))
        return found

    def _key(self, event: Any, at: Place) -> str | None:
        key = _scalar_value(event) if isinstance(event, yaml.ScalarEvent) else self._value(event, at)
        if isinstance(key, str) and event.anchor is None and event.tag is None:
            return key
        self.flaws.append(_flaw_at(event, "this key is not plain text; put it in quotes", at))
        return None


def _unsupported(event: Any) -> str:
    if isinstance(event, yaml.AliasEvent):
        return "aliases (*name) are not supported; put text that begins with * in quotes"
    if event.tag is not None:
        return "tags (!name) are not supported; put text that begins with ! in quotes"
    return "anchors (&name) are not supported; put text that begins with & in quotes"


def _mark(event: Any) -> int:
    start = event.start_mark
    return int(start.line << 32 | start.column)


def _flaw_at(event: Any, what: str, at: Place) -> Flaw:
    return Flaw(at, event.start_mark.line + 1, event.start_mark.column + 1, what)


def _syntax_flaw(error: yaml.YAMLError, text: str) -> Flaw:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Flaw((), 1, 1, "is not YAML")
    # The pure parser repeats names from the text; what stands in the file may be a secret.
    problem, context = (_OTHERS_WORDS.sub("", getattr(error, part, None) or "") for part in ("problem", "context"))
    begin = getattr(error, "context_mark", None)
    line = text[text.rfind("\n", 0, mark.index) + 1 :].partition("\n")[0]
    if text[mark.index : mark.index + 1] == "\t":
        problem = "a tab where YAML wants spaces"
    elif "${" in line:
        problem += '; inside { } and [ ] a reference stands in quotes: "${NAME}"'
    elif context and begin is not None and begin.line != mark.line:
        problem += f" {context} that begins at line {begin.line + 1}"
    return Flaw((), mark.line + 1, mark.column + 1, problem)


def _scalar_value(event: Any) -> object:
    if event.style:  # in quotes or a block: text, whatever it looks like
        return event.value
    return resolve(event.value)


def resolve(text: str) -> object:
    """What a scalar without quotes means: a number, true, false, null, or else the text itself."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if text in _WORDS:
        return _WORDS[text]
    return float(text) if _DECIMAL.fullmatch(text) else text
