"""Describes the keys of the configuration: a JSON Schema for editors, and a table for the documentation."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from datetime import timedelta
from typing import Any, get_args, get_type_hints

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from gemwatch.adapters.config.keys import REFERENCE, Keys, Schema
from gemwatch.core.events import Target
from gemwatch.core.kinds import EventKind
from gemwatch.core.settings import GroupSettings, Rule, Settings, Watch

_AS_ABOVE = ("watch.limits", "watch.gate", "discover.limits", "discover.gate")  # the table already has their keys
_LISTED = {"notify": Target, "watch": Watch, "discover": Rule, "groups": GroupSettings}
_HOST_NAME = "name"  # its default is the host name
_MAPPING_NAMES = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


def json_schema() -> Schema:
    """The whole document's schema, draft 2020-12."""
    schema = _untitled(TypeAdapter(Keys).json_schema(ref_template="#/$defs/{model}"))
    _fill_in(schema, Settings, schema)
    notify = schema["properties"]["notify"]["anyOf"][0]
    notify["propertyNames"] = {"pattern": _MAPPING_NAMES}
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "gemwatch's configuration", **schema}


def reference() -> Iterator[tuple[str, str, str]]:
    """Every key with its default and meaning, as Markdown."""
    schema = json_schema()
    return _rows(schema, schema, "")


def table() -> str:
    """Every key with its default and meaning, as a Markdown table."""
    rows = "".join(f"| `{path}` | {_cell(default)} | {_cell(about)} |\n" for path, default, about in reference())
    return f"| key | default | meaning |\n| --- | --- | --- |\n{rows}"


def _rows(node: Schema, root: Schema, prefix: str) -> Iterator[tuple[str, str, str]]:
    for key, part in node["properties"].items():
        path = f"{prefix}{key}"
        below = _mapping_in(part, root)
        default = "required" if key in node.get("required", ()) and below is None else _default(part)
        yield path, default, _about(part)
        if below is not None and path not in _AS_ABOVE:
            yield from _rows(
                below, root, f"{path}.NAME." if key in ("notify", "groups") and not prefix else f"{path}."
            )


def _mapping_in(node: Schema, root: Schema) -> Schema | None:
    """The mapping that a key accepts: as its value, or as the value of each name or item."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    if "properties" in node:
        return node
    if node.get("const") is not None:
        return None
    inner = [
        *node.get("anyOf", ()),
        *(node[k] for k in ("additionalProperties", "items") if isinstance(node.get(k), dict)),
    ]
    return next((found for part in inner if (found := _mapping_in(part, root)) is not None), None)


def _default(part: Schema) -> str:
    match part.get("default"):
        case None:
            return ""
        case bool(value):
            return f"`{str(value).lower()}`"
        case [*words]:
            missing = [f"`{kind}`" for kind in EventKind if kind not in words]
            return f"all but {', '.join(missing)}"
        case value:
            return f"`{value}`"


def _about(part: Schema) -> str:
    shapes = [shape for shape in part.get("anyOf", ()) if shape.get("pattern") != REFERENCE["pattern"]]
    words = shapes[0].get("enum", ()) if len(shapes) == 1 else ()
    choices = f" One of {', '.join(f'`{word}`' for word in words)}." if words else ""
    return f"{part['description']}{choices}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _fill_in(node: Schema, settings: type, root: Schema) -> None:
    """Add the defaults of the settings, section by section."""
    types, known = get_type_hints(settings), {field.name: field.default for field in fields(settings)}
    for key, part in node["properties"].items():
        kinds = _LISTED.get(key, types.get(key))
        section = next((kind for kind in (kinds, *get_args(kinds)) if is_dataclass(kind)), None)
        if isinstance(section, type) and (below := _mapping_in(part, root)) is not None:
            _fill_in(below, section, root)
        elif key not in (*node.get("required", ()), _HOST_NAME) and "default" not in part:
            value = known.get(key)
            if value not in (None, "", (), MISSING) and (written := _written(value)) is not None:
                part["default"] = written


def _written(value: object) -> Any:
    """A default in the form that users write: 365d, 10m, 60s."""
    match value:
        case timedelta():
            return _span(value)
        case frozenset():
            return [kind for kind in EventKind if kind in value]
        case bool() | int() | float() | str():
            return value
    return None


def _span(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0 and seconds > size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _untitled(node: Any) -> Any:
    """The schema without the titles that pydantic derives from names."""
    if isinstance(node, dict):
        return {key: _untitled(part) for key, part in node.items() if key != "title"}
    return [_untitled(part) for part in node] if isinstance(node, list) else node
