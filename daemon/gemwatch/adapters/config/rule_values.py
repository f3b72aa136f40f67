"""Checks the values of rules that find jobs. Raises BadValueError, which is shown with the place."""

from typing import Any

from gemwatch.adapters.config.bad_value import BadValueError
from gemwatch.adapters.config.values import single_line
from gemwatch.core.lists.rules import NAME_FIELDS, unknown_fields


def shell_pattern(value: Any) -> str:
    """A pattern with *, ? and [a-z]."""
    pattern = single_line(value)
    if pattern != pattern.strip():
        raise BadValueError("starts or ends with a space, which no value does")
    return pattern


def name_template(value: Any) -> str:
    """A name that may contain fields of the job in braces."""
    name = single_line(value)
    if unknown := unknown_fields(name):
        fields = ", ".join(f"{{{field}}}" for field in NAME_FIELDS)
        raise BadValueError(f"has an unknown field {{{unknown[0][:20]}}}; known are {fields}")
    return name
