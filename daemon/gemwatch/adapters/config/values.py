"""Single values of a configuration: each function takes what YAML gave and returns what the core wants.

They raise `BadValue` with what is wrong and what to write instead. No message shows text from a reference, nor
anything of a key, a token or a URL.
"""

import difflib
import ipaddress
import math
import re
import shlex
import unicodedata
from collections.abc import Callable, Iterable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gemwatch.adapters.config.references import Substituted
from gemwatch.core.gate import OFF
from gemwatch.core.job_id import NOT_A_JOB_ID, job_id_of
from gemwatch.core.kinds import EventKind
from gemwatch.core.limits import Word
from gemwatch.core.settings import WebSettings

LONGEST = timedelta(days=36_500)

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,11})([smhd]?)")
_DIGITS = re.compile(r"0|[1-9][0-9]{0,29}")
_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")
_TARGET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HARMLESS = re.compile(r"[\w .:+-]{1,40}")
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")
_LINE_BREAKERS = frozenset({"Cc", "Cs", "Zl", "Zp"})


class BadValue(ValueError):  # noqa: N818 (it says what the value is)
    """A value that cannot be used; the message says why and what to write."""


def shown(value: object) -> str:
    """A value as a message may repeat it: short and harmless ones only, never what came from a reference."""
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
    """A word in quotes with a space before it, or nothing where it may be something pasted in a wrong place."""
    return f' "{word}"' if _HARMLESS.fullmatch(word) and not isinstance(word, Substituted) else ""


def did_you_mean(word: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, known, 1) if isinstance(word, str) else []
    return f'; did you mean "{close[0]}"?' if close else ""


def text(value: Any) -> str:
    """Any string that is not empty."""
    if value is None or value == "":
        raise BadValue("is empty; give it a value or take the key out")
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        raise BadValue("must be text; put it in quotes")
    raise BadValue(f"must be text, not {shown(value)}")


def duration(value: Any) -> timedelta:
    raw = str(value) if type(value) is int else value
    if isinstance(raw, str) and raw in ("0", "0s", "0m", "0h", "0d"):
        raise BadValue("must be longer than 0")
    if not isinstance(raw, str) or not (parts := _DURATION.fullmatch(raw)):
        raise BadValue(f"{shown(value)} is not a duration; write 90s, 10m, 2h or 7d")
    seconds = int(parts[1]) * _UNITS[parts[2]]
    if seconds > LONGEST.total_seconds():
        raise BadValue(f"is longer than {LONGEST.days}d")
    return timedelta(seconds=seconds)


def limit(value: Any) -> timedelta | Word:
    """A duration, or a word in its place."""
    if value in tuple(Word):
        return Word(value)
    try:
        return duration(value)
    except BadValue as problem:
        raise BadValue(f"{problem}; or write auto or off") from None


def job_id(value: Any) -> int:
    found = job_id_of(value)
    if found is None:
        raise BadValue(f"{shown(value)} {NOT_A_JOB_ID}")
    return found


def integer(low: int, high: int) -> Callable[[Any], int]:
    """What reads a whole number within bounds; text counts only where a reference put it."""

    def read(value: Any) -> int:
        if isinstance(value, Substituted) and _DIGITS.fullmatch(value):
            number = int(value)
        elif type(value) is int:
            number = value
        else:
            raise BadValue(f"{shown(value)} is not a whole number; write one from {low} to {high}, without quotes")
        if not low <= number <= high:
            raise BadValue(f"must be from {low} to {high}")
        return number

    return read


def bar(most: float) -> Callable[[Any], float | str]:
    """What reads a part of one, such as 0.8 for 80 %, or `off`."""

    def read(value: Any) -> float | str:
        if value == OFF:
            return OFF
        if isinstance(value, Substituted) and _NUMBER.fullmatch(value):
            value = float(value)
        if type(value) not in (int, float) or not 0 <= value <= most:
            raise BadValue(f"{shown(value)} is not a number from 0 to {most:g}; write 0.8 for 80 %, or off")
        return float(value)

    return read


def rate(value: Any) -> float:
    if isinstance(value, Substituted) and _NUMBER.fullmatch(value):
        value = float(value)
    if type(value) not in (int, float) or not 0 <= value < math.inf:
        raise BadValue(f"{shown(value)} is not a rate; write requests a second such as 10 or 0.5, or 0 for no limit")
    return float(value)


def one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            hint = did_you_mean(value, words) or f"; write one of {', '.join(words)}"
            raise BadValue(f"{shown(value)} is not known here{hint}")
        return str(value)

    return read


def flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadValue(f"{shown(value)} is neither true nor false")
    return value


def sweep(value: Any) -> bool:
    return one_of("auto", "off")(value) == "auto"


def watch_name(value: Any) -> str:
    name = text(value)
    if not name.strip():
        raise BadValue("is empty; give it a value or take the key out")
    if len(name) > 200:  # noqa: PLR2004 (said in the message)
        raise BadValue("is longer than 200 characters")
    if any(unicodedata.category(c) in _LINE_BREAKERS for c in name):
        raise BadValue("must be a single line of text")
    return name


def target_name(value: Any) -> str:
    """The key of a target. What is no name is not repeated: it may be a URL in the wrong place."""
    if not _TARGET_NAME.fullmatch(text(value)):
        raise BadValue("is no name for a target; use up to 64 letters, digits, '.', '_' and '-'")
    return str(value)


def event_list(value: Any) -> list[Any]:
    """The list of events as it stands there, with `all` spelt out; its items are not looked at."""
    if value == "all" or (isinstance(value, list) and "all" in value):
        return list(EventKind)
    if not isinstance(value, list):
        raise BadValue(f"{shown(value)} is not a list of events; write all, or a list such as [success, failed]")
    return value


def event(value: Any) -> str:
    if value == "needs-look":
        raise BadValue("needs-look is now called needs-review; write needs-review")
    return one_of(*EventKind)(value)


def time_zone(value: Any) -> str:
    name = text(value)
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise BadValue(f"{shown(value)} is not a time zone; write an IANA name such as Europe/Amsterdam") from None


def header_text(value: Any) -> str:
    """What can go into an HTTP header: a key or a token."""
    if not _VISIBLE.fullmatch(text(value)):
        raise BadValue("may hold only letters, digits and signs of ASCII, without spaces or line breaks")
    return str(value)


def command(value: Any) -> tuple[str, ...]:
    """A program and its arguments: one string, split as a shell would, or a list."""
    if isinstance(value, list):
        if not value or not all(isinstance(word, str) for word in value) or not value[0]:
            raise BadValue("must list a program and its arguments, each as text; put numbers in quotes")
        return tuple(str(word) for word in value)
    try:
        words = shlex.split(text(value))
    except ValueError:
        raise BadValue("has a quote or a backslash that is not closed; write it as a list instead") from None
    if not words:
        raise BadValue("is empty; give it a value or take the key out")
    return tuple(words)


def azure_is_installed() -> bool:
    try:
        return find_spec("azure.identity") is not None
    except ModuleNotFoundError:  # of `azure` itself
        return False


def azure(value: Any) -> Any:
    """A mapping, also where only the credential's name is given; its keys are not looked at."""
    if not azure_is_installed():
        raise BadValue("needs azure-identity, which is not installed; pip install 'gemwatch[azure]'")
    return {"credential": value} if isinstance(value, str) else value


def file_path(value: Any) -> Path:
    return Path(text(value))


def base_url(value: Any) -> str:
    url = text(value)
    wanted = "write https://HOST/PATH"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise BadValue(f"is not a URL; {wanted}") from None
    if parts.scheme not in ("http", "https") or not host or not _VISIBLE.fullmatch(url):
        raise BadValue(f"is not an http or https URL with a host; {wanted}")
    if "@" in parts.netloc:
        raise BadValue(f"must not hold a user or password; {wanted}")
    if "?" in url or "#" in url:
        raise BadValue(f"must not hold a query (?) or fragment (#); {wanted}")
    return url.rstrip("/")


def heartbeat_url(value: Any) -> str:
    url = text(value)
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or "#" in url or not _VISIBLE.fullmatch(url):
        raise BadValue("is not an http or https URL to call; write the one that the dead man's switch shows")
    return url


def sqlite_path(value: Any) -> Path:
    """The file of a `sqlite:///` URL, relative as it stands there."""
    url = text(value)
    path = url.removeprefix("sqlite:///")
    if path == url or not path or path.endswith((":memory:", "/")) or "?" in path or "#" in path:
        raise BadValue("only a SQLite file is supported; write sqlite:///gemwatch.db or sqlite:////absolute/path.db")
    return Path(path)


def listen(value: Any) -> WebSettings:
    if value == "off":
        return WebSettings(host=None)
    parts = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if parts is None or int(parts["port"]) > 65_535:  # noqa: PLR2004 (the largest port)
        raise BadValue(f"{shown(value)} is not an address to listen on; write HOST:PORT, [IPv6]:PORT or off")
    if parts["six"]:
        try:
            ipaddress.IPv6Address(parts["six"])
        except ValueError:
            raise BadValue(f"{shown(value)} holds no IPv6 address; write [::1]:PORT") from None
    return WebSettings(host=parts["six"] or parts["host"], port=int(parts["port"]))
