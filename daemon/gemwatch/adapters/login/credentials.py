"""The bearer token: fetched once for all who ask, renewed ahead of its end, never handed out after it."""

import asyncio
import os
import re
import stat
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from gemwatch.adapters.login.azure import AZURE_LIMIT, REMEDIES, azure_text
from gemwatch.adapters.login.command import COMMAND_LIMIT, command_name, command_output, remedy
from gemwatch.adapters.login.token_text import read_token
from gemwatch.core.clock import Clock
from gemwatch.core.login import LoginError, Token
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import AzureSource, TokenSource

_MOST_BYTES = 64 * 1024  # of a token file
_FIT_FOR_A_HEADER = re.compile(r"[\x21-\x7e]+")
_AHEAD = timedelta(minutes=5)  # of its end a token is renewed, or earlier if it lives long
_QUIET_AFTER_FAILURE = 30.0  # seconds in which nobody who just needs a token starts the command again
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 300.0  # seconds between refreshes that fail

_Stamp = tuple[int, int, int, int]


class Credentials:
    """Gives tokens. However many ask, one fetch runs at a time, and none of them can cancel it for the others."""

    def __init__(
        self,
        source: TokenSource,
        clock: Clock,
        secrets: Secrets,
        *,
        command_limit: timedelta = COMMAND_LIMIT,
        azure_limit: timedelta = AZURE_LIMIT,
    ) -> None:
        self.last_error: LoginError | None = None  # of the last fetch; None once one succeeds
        self._source = source
        self._clock = clock
        self._secrets = secrets
        self._command_limit = command_limit
        self._azure_limit = azure_limit
        self._token: Token | None = None
        self._fetching: asyncio.Task[Token] | None = None
        self._failures = 0  # in a row
        self._failed_at = 0.0
        self._stamp: _Stamp | None = None

    @property
    def expires_at(self) -> datetime | None:
        """When the token at hand ends, as far as there is one and it says."""
        return self._token.expires_at if self._token else None

    async def token(self) -> Token:
        """A token that has not ended: the one at hand, else a new one. Raises LoginError.

        After a failure the same error is given for 30 s, so that a hundred polls do not start the command a
        hundred times. A token file that has changed is read at once; should it be half written, the token
        that is still good stays in use.
        """
        if self._source.file is not None and _stamp(self._source.file) != self._stamp:
            with suppress(LoginError):
                return await self._fetch()
        if (token := self._good_token()) is not None:
            return token
        quiet = self._clock.monotonic() < self._failed_at + _QUIET_AFTER_FAILURE
        if self.last_error is not None and quiet and self._fetching is None:
            raise LoginError(*self.last_error.args)
        return await self._fetch()

    async def renew(self, stale: Token | None) -> Token:
        """A token other than `stale`, which the API refused: one that is here by now, else a new one.

        None fetches in any case. Where the source has only the same token to give, it is given again.
        Raises LoginError.
        """
        token = self._good_token()
        if stale is not None and token is not None and token is not stale:
            return token
        return await self._fetch()

    async def refresh_if_due(self) -> None:
        """Fetch a new token if the one at hand nears its end. To be called every few seconds; it never raises.

        While that fails the old one stays in use, the pauses grow, and `last_error` says why.
        """
        if self._token is None or not _nears_its_end(self._token, self._clock.now()):
            return
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE) if self._failures else 0.0
        if self._clock.monotonic() < self._failed_at + pause:
            return
        with suppress(LoginError):
            await self._fetch()

    async def close(self) -> None:
        """End a fetch that is under way, and all its processes. Who waits for it gets a LoginError.

        For the end of the program. Credentials that a reload replaces are just let go: what they fetch is
        still awaited, and ends by itself.
        """
        if (fetching := self._fetching) is not None:
            fetching.cancel()
            await asyncio.wait([fetching])

    def _good_token(self) -> Token | None:
        token = self._token
        return None if token is None or _has_ended(token, self._clock.now()) else token

    async def _fetch(self) -> Token:
        if (fetching := self._fetching) is None:
            fetching = self._fetching = asyncio.create_task(self._fetched(), name="token")
            fetching.add_done_callback(self._fetch_done)
        await asyncio.wait([fetching])  # unlike an await of the task itself, this cancels only the waiting
        if fetching.cancelled():
            raise LoginError("the token was not fetched, since gemwatch is stopping")
        return fetching.result()

    def _fetch_done(self, fetching: "asyncio.Task[Token]") -> None:
        self._fetching = None
        if not fetching.cancelled():
            fetching.exception()  # retrieved, also when nobody waits any more

    async def _fetched(self) -> Token:
        try:
            token = await self._from_source()
        except LoginError as error:
            self.last_error = error
            self._failures += 1
            self._failed_at = self._clock.monotonic()
            raise
        self._token, self.last_error, self._failures = token, None, 0
        return token

    async def _from_source(self) -> Token:
        match self._source:
            case TokenSource(command=tuple(command)):
                text = await command_output(command, self._secrets, self._command_limit)
                return self._checked(text, command_name(command), remedy(command))
            case TokenSource(file=Path() as file):
                self._stamp = _stamp(file)  # before reading: what is written meanwhile is read next time
                return self._checked(_text_of(file), f"the token file {file}", "Write a valid token to it")
            case TokenSource(azure=AzureSource() as azure):
                text = await azure_text(azure, self._secrets, self._azure_limit)
                return self._checked(text, f"Azure ({azure.credential})", REMEDIES[azure.credential])
        text = self._source.value or ""
        return self._checked(text, "api.token.value", "A token from a command or a file could be renewed")

    def _checked(self, text: str, origin: str, what_to_do: str) -> Token:
        now = self._clock.now()
        try:
            value, expires_at = read_token(text, now)
        except ValueError as error:
            raise LoginError(f"{origin} gave no token: {error}. {what_to_do}") from None
        self._secrets.add(value)
        token = Token(value=value, fetched_at=now, expires_at=expires_at)
        if not _FIT_FOR_A_HEADER.fullmatch(value):
            raise LoginError(f"{origin} gave a token with characters that no header can carry. {what_to_do}")
        if _has_ended(token, now):
            times = f"ended at {expires_at:%F %T} UTC, and the clock here says {now:%F %T} UTC"
            raise LoginError(f"{origin} gave a token that {times}. {what_to_do}")
        return token


def _has_ended(token: Token, now: datetime) -> bool:
    return token.expires_at is not None and token.expires_at <= now


def _nears_its_end(token: Token, now: datetime) -> bool:
    """Whether the last fifth of its life has begun, or the last 5 minutes; of a short life, the second half."""
    if token.expires_at is None:
        return False
    life = token.expires_at - token.fetched_at
    return token.expires_at - now <= min(max(_AHEAD, life / 5), life / 2)


def _stamp(file: Path) -> _Stamp | None:
    try:
        seen = file.stat()
    except OSError:
        return None
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns


def _text_of(file: Path) -> str:
    try:
        if not stat.S_ISREG(file.stat().st_mode):  # to read a pipe could take for ever
            raise LoginError(f"the token file {file} is not a regular file. Write the token to one")
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        raise LoginError(f"the token file {file} cannot be read: {why}. Write a valid token to it") from None
    if len(content) > _MOST_BYTES:
        raise LoginError(f"the token file {file} is longer than {_MOST_BYTES >> 10} KiB. Write only a token to it")
    return content.decode("utf-8-sig", errors="replace")
