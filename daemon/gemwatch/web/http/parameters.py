"""The parameters of an API request, and what is wrong with an invalid one."""

import re
from collections.abc import Collection, Iterable

from starlette.datastructures import QueryParams

from gemwatch.core.job_id import MAX_JOB_ID

LONGEST = 200  # characters of a text
MOST_IDS = 100  # in one request
FARTHEST = 1_000_000_000  # the largest offset
_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")


class ParameterError(Exception):
    """An invalid parameter; the message shows what is allowed."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(what)
        self.name = name


class Parameters:
    """The parameters of one request. Unknown parameters, and repeated ones that must be single, are refused.

    If they were ignored, a filter with a typo in its name would show everything.
    """

    def __init__(self, given: QueryParams, known: Collection[str], *, repeated: Collection[str] = ()) -> None:
        self._given = given
        for name in given:
            if name not in known:
                raise ParameterError(name[:LONGEST], f"is not known here; known are {', '.join(known)}")
            if name not in repeated and len(given.getlist(name)) > 1:
                raise ParameterError(name, "is given more than once")

    def text(self, name: str) -> str | None:
        value = self._given.get(name)
        return None if value is None else _short(name, value)

    def texts(self, name: str) -> list[str]:
        return [_short(name, value) for value in self._given.getlist(name)]

    def job_ids(self, name: str) -> list[int] | None:
        values = self._given.getlist(name)
        if len(values) > MOST_IDS:
            raise ParameterError(name, f"may be given {MOST_IDS} times at most")
        return [job_id(name, value) for value in values] or None

    def flag(self, name: str) -> bool | None:
        word = self.word(name, ("true", "false"))
        return None if word is None else word == "true"

    def word(self, name: str, words: Iterable[str]) -> str | None:
        value = self._given.get(name)
        if value is not None and value not in words:
            raise ParameterError(name, f"must be one of {', '.join(words)}")
        return value

    def number(self, name: str, low: int, high: int) -> int | None:
        value = self._given.get(name)
        return None if value is None else whole(name, value, low, high)


def whole(name: str, text: str, low: int, high: int) -> int:
    """A whole number within bounds."""
    if not _WHOLE.fullmatch(text) or not low <= int(text) <= high:
        raise ParameterError(name, f"must be a whole number from {low} to {high}")
    return int(text)


def job_id(name: str, text: str) -> int:
    return whole(name, text, 1, MAX_JOB_ID)


def _short(name: str, value: str) -> str:
    if not 0 < len(value) <= LONGEST:
        raise ParameterError(name, f"must have from 1 to {LONGEST} characters")
    return value
