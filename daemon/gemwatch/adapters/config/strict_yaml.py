"""Reads a small, bounded subset of YAML into plain values, and gives each mistake a place.

`on` is a word, `0123` is not a number, and duplicate keys, anchors, aliases and tags are refused.
"""

import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from gemwatch.adapters.config.bad_value import quoted
from gemwatch.adapters.config.references import BadReferenceError

DEEPEST = 40
MOST_NODES = 2_000_000
MOST_FLAWS = 100  # to keep; the rest is counted
MOST_KEYS = 50  # in one mapping of a text that others write
MOST_ITEMS = 200  # in a list inside an entry of such a text

KeyPath = tuple[str | int, ...]
"""The path to a value: keys and indexes from the top of its document."""

# The C parser if available. "Base": every scalar stays a string.
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,29})")  # longer ones cannot be an id or a count, so they stay text
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]{0,14})\.[0-9]{1,15}")
_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_OTHERS_WORDS = re.compile(r" ?'(?!<)[^']{2,}'")

NOTHING: Any = object()
"""The value of a text that has no document."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """A mistake in a document. Line and column count from 1."""

    at: KeyPath
    line: int
    column: int
    what: str


class Items(list[Any]):
    """A list that knows where its items begin.

    A mark holds the line in its upper and the column in its lower 32 bits, both from 0. This keeps a list of a
    million values small.
    """

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks = array("Q")


class Fields(dict[str, Any]):
    """A mapping that knows where its keys and values begin: the marks of each key and its value in turn."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        super().__init__()
        self.marks = array("Q")


@dataclass(slots=True)
class Plain:
    """The plain values of a text, and its flaws.

    `flaws` holds the first ones, `more` the number of the others, `flawed` the places of all. A value at a place
    that is also in `unresolved` has no meaning. `broken` is where reading had to stop; then `value` is `NOTHING`.
    """

    value: Any = NOTHING
    flaws: list[Flaw] = field(default_factory=list)
    more: int = 0
    flawed: set[KeyPath] = field(default_factory=set)
    unresolved: set[KeyPath] = field(default_factory=set)
    broken: Flaw | None = None
    root: int = 0

    def find(self, at: KeyPath, *, key: bool = False) -> tuple[int, int]:
        """Line and column of a value or its key. If the place does not exist: of the nearest one that contains it."""
        value, mark = self.value, self.root
        for step, part in enumerate(at, 1):
            if isinstance(value, Fields) and part in value:
                index = 2 * list(value).index(str(part))
                mark = value.marks[index if key and step == len(at) else index + 1]
                value = value[str(part)]
            elif isinstance(value, Items) and isinstance(part, int) and part < len(value):
                mark, value = value.marks[part], value[part]
            else:
                break
        return (mark >> 32) + 1, (mark & 0xFFFF_FFFF) + 1


def read(text: str, expand: Callable[[str], str] | None, loader: Any = LOADER) -> Plain:
    """The values of a text. `expand` resolves the references in each string and may raise `BadReferenceError`.

    `expand` None: other people write the text. `$` is a plain character then, no flaw quotes the text, and mappings
    and inner lists are bounded.

    Reads the parser's events instead of nodes: the C composer recurses, so that deep nesting crashes the process;
    aliases can make a small text endless; and a large list of nodes occupies the garbage collector for seconds.
    """
    walk = _Walk(yaml.parse(text, Loader=loader), expand)
    try:
        walk.found.value = walk.document()
    except _TooMuchError as error:
        walk.found.broken = error.flaw
    except yaml.YAMLError as error:
        walk.found.broken = _syntax_flaw(error, text)
    return walk.found


class _TooMuchError(Exception):
    def __init__(self, event: yaml.Event, what: str) -> None:
        self.flaw = Flaw((), *_line_and_column(event), what)


class _Walk:
    """Walks once through the events of a text."""

    def __init__(self, events: Iterator[Any], expand: Callable[[str], str] | None) -> None:
        self.found = Plain()
        self._events = events
        self._expand = expand
        self._bounded = expand is None
        self._nodes = 0

    def document(self) -> Any:
        value = NOTHING
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                self.found.root = _mark(event)
                value = self._value(event, ())
            elif isinstance(event, yaml.DocumentStartEvent) and value is not NOTHING:
                raise _TooMuchError(event, "a second document begins here; write only one per file")
        return value

    def _value(self, event: Any, at: KeyPath) -> Any:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _TooMuchError(event, f"more than {MOST_NODES} values in one file")
        if event.anchor is not None or event.tag is not None:
            self._refuse(event, _unsupported(event), at)
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event, at)
        if isinstance(event, yaml.AliasEvent):
            return ""
        if len(at) >= DEEPEST:
            raise _TooMuchError(event, f"nested deeper than {DEEPEST} levels")
        return self._sequence(event, at) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(event, at)

    def _scalar(self, event: Any, at: KeyPath) -> object:
        value = _scalar_value(event)
        if not isinstance(value, str):
            return value
        if "$" in value and self._expand is not None:
            try:
                value = self._expand(value)
            except BadReferenceError as error:
                return self._refuse(event, str(error), at)
        if _CONTROL.search(value):
            return self._refuse(event, "contains a control character", at)
        return value

    def _flaw(self, event: yaml.Event, at: KeyPath, what: Callable[[], str]) -> None:
        self.found.flawed.add(at)
        if len(self.found.flaws) < MOST_FLAWS:
            self.found.flaws.append(Flaw(at, *_line_and_column(event), what()))
        else:
            self.found.more += 1

    def _refuse(self, event: yaml.Event, what: str, at: KeyPath) -> str:
        self._flaw(event, at, lambda: what)
        self.found.unresolved.add(at)
        return ""

    def _sequence(self, start: Any, at: KeyPath) -> Items:
        items = Items()
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            full = self._bounded and at and len(items) >= MOST_ITEMS
            value = self._value(event, (*at, len(items)))
            if not full:
                items.marks.append(_mark(event))
                items.append(value)
            elif at not in self.found.flawed:
                self._flaw(start, at, lambda: f"has more than {MOST_ITEMS} items")
        return items

    def _mapping(self, start: Any, at: KeyPath) -> Fields:
        found = Fields()
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, at)
            value_event = next(self._events)
            value = self._value(value_event, (*at, "") if key is None else (*at, key))
            if key in found:
                self._flaw(event, at, lambda k=key: self._duplicate(found, k))  # type: ignore[misc]
            elif self._bounded and len(found) >= MOST_KEYS:
                if at not in self.found.flawed:
                    self._flaw(start, at, lambda: f"has more than {MOST_KEYS} keys")
            elif key is not None:
                found[key] = value
                found.marks.extend((_mark(event), _mark(value_event)))
        return found

    def _duplicate(self, found: Fields, key: str) -> str:
        line = (found.marks[2 * list(found).index(key)] >> 32) + 1
        return f"duplicate key{'' if self._bounded else quoted(key)}; first at line {line}"

    def _key(self, event: Any, at: KeyPath) -> str | None:
        key = _scalar_value(event) if isinstance(event, yaml.ScalarEvent) else self._value(event, (*at, ""))
        if isinstance(key, str) and event.anchor is None and event.tag is None:
            return key
        self._flaw(event, at, lambda: "this key is not plain text; put it in quotes")
        return None


def _unsupported(event: Any) -> str:
    if isinstance(event, yaml.AliasEvent):
        return "aliases (*name) are not supported; put text that begins with * in quotes"
    if event.tag is not None:
        return "tags (!name) are not supported; put text that begins with ! in quotes"
    return "anchors (&name) are not supported; put text that begins with & in quotes"


def _line_and_column(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _mark(event: Any) -> int:
    start = event.start_mark
    return int(start.line << 32 | start.column)


def _syntax_flaw(error: yaml.YAMLError, text: str) -> Flaw:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Flaw((), 1, 1, "is not YAML")
    # The pure Python parser quotes names from the text, which may be secrets.
    problem, context = (_OTHERS_WORDS.sub("", getattr(error, part, None) or "") for part in ("problem", "context"))
    begin = getattr(error, "context_mark", None)
    if "nesting depth" in problem:  # libyaml has its own limit and reads ahead
        return Flaw((), mark.line + 1, mark.column + 1, f"nested deeper than {DEEPEST} levels")
    line = text[text.rfind("\n", 0, mark.index) + 1 :].partition("\n")[0]
    if text[mark.index : mark.index + 1] == "\t":
        problem = "a tab where YAML needs spaces"
    elif "${" in line:
        problem += '; inside { } and [ ] write a reference in quotes: "${NAME}"'
    elif context and begin is not None and begin.line != mark.line:
        problem += f" {context} that begins at line {begin.line + 1}"
    return Flaw((), mark.line + 1, mark.column + 1, problem)


def _scalar_value(event: Any) -> object:
    if event.style:  # in quotes or a block: always text
        return event.value
    return resolve(event.value)


def resolve(text: str) -> object:
    """The value of a scalar without quotes: a number, true, false, null, or else the text itself."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if text in _WORDS:
        return _WORDS[text]
    return float(text) if _DECIMAL.fullmatch(text) else text
