"""A value that cannot be used, and how a message may repeat it."""

import difflib
import re
from collections.abc import Iterable

from gemwatch.adapters.config.references import Substituted

_SHOWABLE = re.compile(r"[\w .:+-]{1,40}")
_LONGEST_GUESS = 64  # characters; comparing longer words is slow and useless

# Names from older versions, and their new names.
_RENAMED = {"needs-look": "needs-review"}


class BadValueError(ValueError):
    """A value that cannot be used. `what` says what is wrong and what to write.

    The message starts with the value if it is given and safe to show. Use `what` alone if a message must not quote
    the file. Neither contains text from a reference, nor a part of a key, a token or a URL.
    """

    def __init__(self, what: str, value: object = ...) -> None:
        self.what = what
        super().__init__(what if value is ... else f"{shown(value)} {what}")


def shown(value: object) -> str:
    """A value in the form that is safe in a message: only a short plain one, never text from a reference."""
    if value is None:
        return "an empty value"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return quoted(value).lstrip() or "this text"
    return "a list" if isinstance(value, list) else "a mapping"


def quoted(word: str) -> str:
    """A space and the word in quotes, or nothing if the word may be a secret that was pasted in the wrong place."""
    return f' "{word}"' if _SHOWABLE.fullmatch(word) and not isinstance(word, Substituted) else ""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    if not isinstance(word, str) or len(word) > _LONGEST_GUESS:
        return ""
    if word in _RENAMED:
        return f"; it is now called {_RENAMED[word]}"
    close = difflib.get_close_matches(word, known, 1)
    return f'; did you mean "{close[0]}"?' if close else ""
