"""As much of JSON Schema as ours uses; a keyword that is not known here is an error, so that none goes unchecked."""

import re
from collections.abc import Callable, Iterator
from typing import Any

_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "null": lambda value: value is None,
    "boolean": lambda value: type(value) is bool,
    "integer": lambda value: type(value) is int,
    "number": lambda value: type(value) in (int, float),
}
_SILENT = {"$schema", "$defs", "title", "description", "default", "properties"}


def complaints(value: Any, schema: Any, root: Any = None) -> Iterator[str]:
    """Which keywords of a schema a value does not meet."""
    root = schema if root is None else root
    for keyword, wanted in schema.items():
        if keyword not in _SILENT and not _meets(keyword, wanted, value, schema, root):
            yield f"{value!r}: {keyword} {wanted!r}"
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if key in value:
                yield from complaints(value[key], part, root)


# One case a keyword.
def _meets(  # noqa: C901, PLR0911, PLR0912
    keyword: str, wanted: Any, value: Any, schema: Any, root: Any
) -> bool:
    def fits(part: Any, shape: Any) -> bool:
        return not any(complaints(part, shape, root))

    match keyword, value:
        case "$ref", _:
            return fits(value, root["$defs"][wanted.removeprefix("#/$defs/")])
        case "anyOf", _:
            return any(fits(value, shape) for shape in wanted)
        case "const", _:
            return bool(value == wanted)
        case "enum", _:
            return value in wanted
        case "type", _:
            return any(_TYPES[kind](value) for kind in ([wanted] if isinstance(wanted, str) else wanted))
        case "pattern", str():
            ends = wanted.endswith("$")  # in JSON Schema's dialect not before a last line end
            return re.search(wanted[:-1] + r"\Z" if ends else wanted, value) is not None
        case (("minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties"), _):
            size = len(value) if isinstance(value, str | list | dict) else wanted
            return bool(size >= wanted if keyword.startswith("min") else size <= wanted)
        case "minimum", int() | float():
            return bool(value >= wanted)
        case "maximum", int() | float():
            return bool(value <= wanted)
        case "items", list():
            return all(fits(item, wanted) for item in value)
        case "required", dict():
            return set(wanted) <= value.keys()
        case "propertyNames", dict():
            return all(fits(key, wanted) for key in value)
        case "additionalProperties", dict():
            others = value.keys() - schema.get("properties", {}).keys()
            return not others if wanted is False else all(fits(value[key], wanted) for key in others)
        case (
            ("pattern" | "minimum" | "maximum" | "items" | "required" | "propertyNames" | "additionalProperties"),
            _,
        ):
            return True  # these say nothing about a value of another type
    raise AssertionError(f"the keyword {keyword} is not known here")
