"""Removes secrets of a target's URL from the service's texts, in any form in which the service may repeat them."""

import html
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, unquote_plus, urlsplit

from gemwatch.core.secrets import Secrets, parts_of_url

WITHHELD = "its answer is not shown because it contains part of the target's URL"

_SHORTEST, _SHORTEST_PASSWORD = 6, 4
_WINDOW = 8  # this many characters of a longer secret must not appear
_ENCODED = re.compile(r"[\w+/=-]{8,}")
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))")


class Redaction:
    """For one target. Masks exact copies of a secret. Withholds a text with an encoded, split or shortened copy."""

    def __init__(self, url: str, secrets: Secrets) -> None:
        self._secrets = secrets
        self._needles = frozenset(_needles(url, secrets))

    def redact(self, text: str) -> str | None:
        """The text without secrets, or None if it is not safe to show."""
        masked = self._secrets.mask(text)
        return None if self._repeats(masked) else masked

    def _repeats(self, text: str) -> bool:
        return any(needle in form for form in map(_squeezed, _forms(text)) for needle in self._needles)


def _needles(url: str, secrets: Secrets) -> Iterator[str]:
    """All substrings that would reveal a secret, in the form that `_squeezed` returns."""
    for secret, shortest in _secrets_of(url):
        whole = _squeezed(secret)
        if len(whole) < shortest or secrets.is_public(secret):
            continue
        yield from (whole[start : start + _WINDOW] for start in range(max(1, len(whole) - _WINDOW + 1)))


def _secrets_of(url: str) -> Iterator[tuple[str, int]]:
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    if password:
        yield unquote(password), _SHORTEST_PASSWORD
    yield from ((part, _SHORTEST) for part in parts_of_url(url))


def _forms(text: str) -> Iterable[str]:
    """The text itself, and the text after undoing the usual encodings, up to twice."""
    forms = {text}
    for _ in range(2):
        forms |= {decoded for form in forms for decoded in (unquote(form), unquote_plus(form), html.unescape(form))}
        forms |= {_ESCAPE.sub(_character, form) for form in forms}
    return forms | {plain for form in (*forms, re.sub(r"\s+", "", text)) for plain in _from_base64(form)}


def _character(escape: re.Match[str]) -> str:
    return chr(int(escape[1] or escape[2], 16))


def _from_base64(text: str) -> Iterator[str]:
    for run in _ENCODED.findall(text):
        plain = run.rstrip("=").replace("-", "+").replace("_", "/")
        for start in range(4):  # the secret may start anywhere in the encoded text
            piece = plain[start:]
            piece = piece[: len(piece) - len(piece) % 4] if len(piece) % 4 == 1 else piece + "=" * (-len(piece) % 4)
            try:
                yield b64decode(piece).decode(errors="replace")
            except ValueError:
                continue


def _squeezed(text: str) -> str:
    """Only letters and digits, lower case: this finds a secret no matter how it is split or quoted."""
    return "".join(character for character in text.casefold() if character.isalnum())
