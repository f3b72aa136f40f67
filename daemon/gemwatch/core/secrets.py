"""Remembers the secrets of this process and masks them in texts."""

import re
from base64 import b64encode
from collections.abc import Iterable
from threading import Lock
from typing import Self
from urllib.parse import unquote, urlsplit

from gemwatch.core.settings import Postgresql, Settings

MASK = "***"
_SHORTEST = 6  # masking shorter pieces would hide ordinary words and protect nothing
_NO_WORD = 12  # characters
_LONG = 16  # characters: no word of a log is as long
_MOST = 2000  # pieces to remember; tokens are renewed for months, so the oldest are dropped


class Secrets:
    """Remembers secrets and masks them in texts from outside.

    Our own code never puts a secret into a text. This is the second line of defence, for texts from libraries, the
    token command and servers.
    """

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The secrets in a configuration."""
        secrets = cls()
        secrets.learn(settings)
        return secrets

    def __init__(self) -> None:
        self._pieces: dict[str, None] = {}
        self._public: set[str] = set()
        self._lock = Lock()  # a separate thread masks log lines
        self._pattern: re.Pattern[str] | None = None

    def learn(self, settings: Settings) -> None:
        """Remember the secrets of a configuration. Names of targets are not secret."""
        token = settings.api.token
        self.add(
            settings.api.key, token.value, token.azure.client_secret if token.azure else None, settings.web.token
        )
        if isinstance(settings.store.place, Postgresql):
            self.add(settings.store.place.password)
        if settings.heartbeat is not None:
            self.add(*_made_up_parts(settings.heartbeat.url))
        self.publish(*(target.name for target in settings.targets))
        for target in settings.targets:
            self.add_url(target.url)

    def add(self, *secrets: str | None) -> None:
        """Remember secrets (keys, tokens, passwords)."""
        self._remember(s for s in secrets if s)

    def publish(self, *words: str) -> None:
        """Keep words readable even if a URL contains them, for example a topic with the name of its target."""
        self._public.update(words)
        with self._lock:
            for word in words:
                self._pieces.pop(word, None)
            self._pattern = None

    def add_url(self, url: str) -> None:
        """Remember a target URL: all of it, its user, password, and each part of host, path and query that could be
        a token. A host with a dot stays readable, because error messages need it."""
        self._remember([url, *(part for part in parts_of_url(url) if part not in self._public)])

    def is_public(self, word: str) -> bool:
        return word in self._public

    def mask(self, text: str) -> str:
        """The text with every known secret replaced by `***`."""
        if len(text) < _SHORTEST:  # true for most words of a log line
            return text
        return (self._pattern or self._compiled()).sub(MASK, text)

    def are_in(self, value: str) -> bool:
        """Whether this is a known secret, or contains one that is too long to be an ordinary word."""
        with self._lock:
            return value in self._pieces or any(piece in value for piece in self._pieces if len(piece) >= _NO_WORD)

    def _compiled(self) -> re.Pattern[str]:
        with self._lock:
            longest_first = sorted(self._pieces, key=len, reverse=True)
            self._pattern = pattern = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        return pattern

    def _remember(self, secrets: Iterable[str]) -> None:
        with self._lock:
            for secret in secrets:
                if len(secret) >= _SHORTEST:
                    self._pieces.pop(secret, None)
                    self._pieces[secret] = None
            while len(self._pieces) > _MOST:
                del self._pieces[next(iter(self._pieces))]
            self._pattern = None  # compiled at the next use: configurations add many at once


def _made_up_parts(url: str) -> Iterable[str]:
    """The URL of a heartbeat, and the parts of it that look machine-generated.

    Not its ordinary words: Uptime Kuma's URLs contain `status`, which must stay readable in logs.
    """
    words = re.split(r"[/:@?&=#,;]", url.partition("://")[2])
    return [url, *(word for word in words if "." not in word and (len(word) >= _LONG or re.search("[0-9]", word)))]


def parts_of_url(url: str) -> Iterable[str]:
    """The parts of a target's URL that could be secrets."""
    rest = url.partition("://")[2]
    try:
        user, password = urlsplit(url).username, urlsplit(url).password
    except ValueError:
        user = password = None
    if password:
        yield from (password, unquote(password))
        # As in Basic authentication: some servers repeat what they received.
        yield b64encode(f"{unquote(user or '')}:{unquote(password)}".encode()).decode()
    for part in re.split(r"[/:?&=#,;]", rest):
        piece = part.rpartition("@")[0] or part
        if "." not in piece and piece.lower() not in _WORDS:
            yield from {piece, unquote(piece)}


# Names in URLs of common services that are not secret, and our own words, which may also be names of topics.
_WORDS = frozenset(
    [
        "localhost",
        "services",
        "webhook",
        "webhooks",
        "format",
        "overflow",
        "verify",
        "footer",
        "gemwatch",
        "notify",
        "success",
        "failed",
        "started",
        "not-found",
        "config",
        "pending",
    ]
)
