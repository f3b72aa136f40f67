"""Adds a watch to the text of a YAML file or removes one, and leaves all other characters as they are.

The edits use the positions of the parsed nodes and do not support every form of YAML: `edit` compares the values
before and after, and refuses a wrong result.
"""

import json
import re
from collections.abc import Sequence
from datetime import timedelta

import yaml

from gemwatch.adapters.config.strict_yaml import LOADER, resolve
from gemwatch.core.settings import Watch

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.]*(?:[ -][A-Za-z0-9_.]+)*")


class NotByLinesError(Exception):
    """The text has a form that only its author can edit."""


def entry_text(watch: Watch) -> str:
    """A watch as one line of YAML: only the id, or a mapping in braces if there is more."""
    fields = {"job": str(watch.job_id)}
    if watch.name is not None:
        fields["name"] = _string(watch.name)
    if watch.notify is not None:
        fields["notify"] = f"[{', '.join(map(_string, watch.notify))}]"
    if watch.every is not None:
        fields["every"] = _duration(watch.every)
    if len(fields) == 1:
        return fields["job"]
    return "{" + ", ".join(f"{key}: {value}" for key, value in fields.items()) + "}"


def with_entry(text: str, entry: str) -> str:
    """The text of a configuration with an entry added to the end of its `watch` list."""
    root = _composed(text)
    if not isinstance(root, yaml.MappingNode):
        raise NotByLinesError
    pair = _pair(root)
    if pair is None:
        return _with_section(text, root, entry)
    watch = pair[1]
    if isinstance(watch, yaml.SequenceNode) and not watch.flow_style:
        return _with_line(text, _end(text, watch.value[-1]), f"{' ' * watch.start_mark.column}- {entry}")
    if isinstance(watch, yaml.SequenceNode) and (watch.value or root.flow_style or "#" in _source(text, watch)):
        return _with_item(text, watch, entry)
    if isinstance(watch, yaml.ScalarNode) and (watch.style or resolve(watch.value) is not None):
        raise NotByLinesError
    return _with_first_line(text, root, watch, entry)


def without_entry(text: str, index: int, *, whole: bool) -> str:
    """The text without one entry of its `watch` list. `whole`: the file itself is the list."""
    root = _composed(text)
    pair = _pair(root) if isinstance(root, yaml.MappingNode) else None
    entries = root if whole else pair and pair[1]
    if not isinstance(entries, yaml.SequenceNode):
        raise NotByLinesError
    if entries.flow_style:
        return _without_item(text, entries.value, index)
    start, end = _lines(text, entries, index)
    emptied = f"{' ' * entries.start_mark.column}[]{_newline(text)}" if whole and len(entries.value) == 1 else ""
    return text[:start] + emptied + text[end:]


def _composed(text: str) -> yaml.Node | None:
    """The nodes of a text. `strict_yaml.read` has checked that it is valid and not too deep for the C composer."""
    try:
        return yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError:  # for example an undefined alias, which only the composer notices
        raise NotByLinesError from None


def _pair(root: yaml.MappingNode) -> tuple[yaml.Node, yaml.Node] | None:
    return next((pair for pair in root.value if pair[0].value == "watch"), None)


def _with_section(text: str, root: yaml.MappingNode, entry: str) -> str:
    if root.flow_style:
        end = _end(text, root.value[-1][1])
        return f"{text[:end]}, watch: [{entry}]{text[end:]}"
    indent = " " * root.start_mark.column
    return _with_line(text, len(text), f"{indent}watch:{_newline(text)}{indent}  - {entry}")


def _with_first_line(text: str, root: yaml.Node, watch: yaml.Node, entry: str) -> str:
    start, end = watch.start_mark.index, watch.end_mark.index
    emptied = text[:start].rstrip(" ") + text[end:] if end > start else text
    return _with_line(emptied, min(start, len(emptied)) - 1, f"{' ' * root.start_mark.column}  - {entry}")


def _with_item(text: str, watch: yaml.SequenceNode, entry: str) -> str:
    end = _end(text, watch.value[-1]) if watch.value else watch.end_mark.index - 1
    return f"{text[:end]}{', ' if watch.value else ''}{entry}{text[end:]}"


def _without_item(text: str, items: Sequence[yaml.Node], index: int) -> str:
    start, end = items[index].start_mark.index, items[index].end_mark.index
    if index + 1 < len(items):
        following = items[index + 1].start_mark.index
        comma = text.index(",", end) + 1
        return text[:start] + text[comma if "#" in text[end:following] else following :]
    before = items[index - 1].end_mark.index if index else start
    if "#" not in text[before:start]:
        return text[:before] + text[end:]
    # A comment after the previous item stays, and so does its comma: a flow list may end with one.
    line, next_line = text.rfind("\n", 0, start) + 1, _line_end(text, end)
    alone = not (text[line:start] + text[end:next_line]).strip()
    return text[:line] + text[next_line:] if alone else text[:start] + text[end:]


def _lines(text: str, entries: yaml.SequenceNode, index: int) -> tuple[int, int]:
    """From the start of the entry's line with the dash to the end of its last line."""
    items = entries.value
    if index:
        floor = _line_end(text, _end(text, items[index - 1]))
    else:
        floor = text.rfind("\n", 0, entries.start_mark.index) + 1
    dash = re.compile(rf"^ {{{entries.start_mark.column}}}-(?=\s|$)", re.MULTILINE)
    found = list(dash.finditer(text, floor, items[index].start_mark.index + 1))
    if not found:
        raise NotByLinesError
    return found[-1].start(), _line_end(text, _end(text, items[index]))


def _end(text: str, node: yaml.Node) -> int:
    """Where a node's own text ends. The end mark of a block collection comes later, after trailing comments."""
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return len(text[: node.end_mark.index].rstrip())
    if not isinstance(node, yaml.CollectionNode) or node.flow_style:
        return node.end_mark.index
    last = node.value[-1]
    return max(_end(text, part) for part in last) if isinstance(last, tuple) else _end(text, last)


def _with_line(text: str, index: int, line: str) -> str:
    """The text with a new line after the line that contains the index."""
    at = _line_end(text, index)
    newline = _newline(text)
    before = text[:at] if at == 0 or text[at - 1] == "\n" else text[:at] + newline
    return f"{before}{line}{newline}{text[at:]}"


def _line_end(text: str, index: int) -> int:
    return text.find("\n", index) + 1 or len(text)


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _source(text: str, node: yaml.Node) -> str:
    return text[node.start_mark.index : node.end_mark.index]


def _string(value: str) -> str:
    """A string as YAML, in quotes if it could be misread. A dollar is escaped, so that it starts no reference."""
    if _PLAIN.fullmatch(value) and isinstance(resolve(value), str):
        return value
    return json.dumps(value.replace("$", "$$"), ensure_ascii=False)


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
