"""Reads single values of a configuration: each function converts a YAML value into the type of the core.

They raise `BadValueError`, which says what is wrong and what to write instead.
"""

import math
import re
import shlex
import unicodedata
from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gemwatch.adapters.config.bad_value import BadValueError, did_you_mean, shown
from gemwatch.adapters.config.references import Substituted
from gemwatch.core.gate import OFF
from gemwatch.core.job_id import NOT_A_JOB_ID, job_id_of
from gemwatch.core.kinds import EventKind
from gemwatch.core.limits import LimitWord
from gemwatch.core.lists.rules import LONGEST_NAME

LONGEST = timedelta(days=36_500)

E = TypeVar("E", bound=StrEnum)

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,11})([smhd]?)")
_DIGITS = re.compile(r"0|[1-9][0-9]{0,29}")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_TARGET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_LINE_BREAKERS = frozenset({"Cc", "Cs", "Zl", "Zp"})
_EXAMPLES = re.compile(r"(?<![A-Za-z0-9])(?:token[abc](?![A-Za-z0-9])|replace-me)", re.IGNORECASE)
_EMPTY = "is empty; give it a value or remove the key"


def text(value: Any) -> str:
    """A string that is not empty."""
    if value is None or value == "":
        raise BadValueError(_EMPTY)
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        raise BadValueError("must be text; put it in quotes")
    raise BadValueError(f"must be text, not {shown(value)}")


def not_an_example(value: str) -> str:
    """The value, unless it is a placeholder from the examples."""
    if _EXAMPLES.search(value):
        raise BadValueError("is a placeholder from the examples; put your own value there")
    return value


def own_text(value: Any) -> str:
    return not_an_example(text(value))


def header_text(value: Any) -> str:
    """Text that is valid in an HTTP header."""
    if not _VISIBLE.fullmatch(text(value)):
        raise BadValueError("may contain only ASCII letters, digits and signs, without spaces and line breaks")
    return str(value)


def secret(value: Any) -> str:
    """A key or a token."""
    return not_an_example(header_text(value))


def duration(value: Any) -> timedelta:
    raw = str(value) if type(value) is int else value
    if isinstance(raw, str) and raw in ("0", "0s", "0m", "0h", "0d"):
        raise BadValueError("must be longer than 0")
    if not isinstance(raw, str) or not (parts := _DURATION.fullmatch(raw)):
        raise BadValueError("is not a duration; write 90s, 10m, 2h or 7d", value)
    seconds = int(parts[1]) * _UNITS[parts[2]]
    if seconds > LONGEST.total_seconds():
        raise BadValueError(f"is longer than {LONGEST.days}d")
    return timedelta(seconds=seconds)


def limit(value: Any) -> timedelta | LimitWord:
    """A duration, or a word in its place."""
    if value in tuple(LimitWord):
        return LimitWord(value)
    try:
        return duration(value)
    except BadValueError as error:
        hint = f"{error.what}; or write auto or off"
        raise (BadValueError(hint) if str(error) == error.what else BadValueError(hint, value)) from None


def job_id(value: Any) -> int:
    found = job_id_of(value)
    if found is None:
        raise BadValueError(NOT_A_JOB_ID, value)
    return found


def integer(low: int, high: int) -> Callable[[Any], int]:
    """A reader for an integer within bounds. It accepts text only if it comes from a reference."""

    def read(value: Any) -> int:
        if isinstance(value, Substituted) and _DIGITS.fullmatch(value):
            number = int(value)
        elif type(value) is int:
            number = value
        else:
            raise BadValueError(f"is not an integer; write one from {low} to {high}, without quotes", value)
        if not low <= number <= high:
            raise BadValueError(f"must be from {low} to {high}")
        return number

    return read


def share(most: float) -> Callable[[Any], float | str]:
    """A reader for a share, such as 0.8 for 80 %, or `off`."""

    def read(value: Any) -> float | str:
        if value == OFF:
            return OFF
        if isinstance(value, Substituted) and _NUMBER.fullmatch(value):
            value = float(value)
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise BadValueError(f"is not a number from 0 to {most:g}; write 0.8 for 80 %, or off", value)
        return float(value)

    return read


def rate(value: Any) -> float:
    if isinstance(value, Substituted) and _NUMBER.fullmatch(value):
        value = float(value)
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise BadValueError("is not a rate; write requests per second such as 4 or 0.5, or 0 for no limit", value)
    return float(value)


def one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            hint = did_you_mean(value, words) or f"; write one of {', '.join(words)}"
            raise BadValueError(f"is not known here{hint}", value)
        return str(value)

    return read


def choice(words: type[E]) -> Callable[[Any], E]:
    """A reader for one of an enum's words."""
    read = one_of(*words)
    return lambda value: words(read(value))


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadValueError("is not a boolean; write true or false", value)
    return value


def sweep(value: Any) -> bool:
    return one_of("auto", "off")(value) == "auto"


def single_line(value: Any) -> str:
    """The name of a job or of this instance."""
    name = text(value)
    if not name.strip():
        raise BadValueError(_EMPTY)
    if len(name) > LONGEST_NAME:
        raise BadValueError(f"is longer than {LONGEST_NAME} characters")
    if any(unicodedata.category(c) in _LINE_BREAKERS for c in name):
        raise BadValueError("must be a single line of text")
    return name


def target_name(value: Any) -> str:
    """The name of a target. The message does not quote an invalid one: it may be a URL in the wrong place."""
    if not _TARGET_NAME.fullmatch(text(value)):
        raise BadValueError("is not a name for a target; use up to 64 letters, digits, '.', '_' and '-'")
    return str(value)


def target(value: Any) -> Any:
    """A mapping, even if only the URL is given. Does not check the keys."""
    return {"url": value} if isinstance(value, str) else value


def event_list(value: Any) -> list[Any]:
    """The list of events, with `all` replaced by every event. Does not check the items."""
    if value == "all" or (isinstance(value, list) and "all" in value):
        return list(EventKind)
    if not isinstance(value, list):
        raise BadValueError("is not a list of events; write all, or a list such as [success, failed]", value)
    return value


event = choice(EventKind)


def time_zone(value: Any) -> str:
    name = text(value)
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise BadValueError("is not a time zone; write an IANA name such as Europe/Amsterdam", value) from None


def command(value: Any) -> tuple[str, ...]:
    """A program and its arguments: a list, or one string that is split like in a shell."""
    if isinstance(value, list):
        if not value or not all(isinstance(word, str) for word in value) or not value[0]:
            raise BadValueError("must list a program and its arguments, each as text; put numbers in quotes")
        return tuple(str(word) for word in value)
    try:
        words = shlex.split(text(value))
    except BadValueError:
        raise
    except ValueError:
        raise BadValueError("has a quote or a backslash that is not closed; write it as a list instead") from None
    if not words:
        raise BadValueError(_EMPTY)
    return tuple(words)


def azure_is_installed() -> bool:
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:  # `azure` itself is missing
        return False


def azure(value: Any) -> Any:
    """A mapping, even if only the name of the credential is given. Does not check the keys."""
    if not azure_is_installed():
        raise BadValueError("needs azure-identity, which is not installed; run: pip install 'gemwatch[azure]'")
    return {"credential": value} if isinstance(value, str) else value


def file_path(value: Any) -> Path:
    return Path(text(value))


def http_url(value: Any) -> str:
    """A URL of a server, without the trailing slash."""
    url = text(value)
    wanted = "write https://HOST/PATH"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadValueError(f"is not a URL; {wanted}") from None
    if parts.scheme not in ("http", "https") or not host or not _VISIBLE.fullmatch(url):
        raise BadValueError(f"is not an http or https URL with a host; {wanted}")
    if "@" in parts.netloc:
        raise BadValueError(f"must not contain a user or password; {wanted}")
    if "?" in url or "#" in url:
        raise BadValueError(f"must not contain a query (?) or fragment (#); {wanted}")
    return url.rstrip("/")


def heartbeat_url(value: Any) -> str:
    url = own_text(value)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or "#" in url or not _VISIBLE.fullmatch(url):
        raise BadValueError("is not an http or https URL; copy the one that the monitoring service shows")
    return url
