"""Provides the bearer token: fetches it once for all callers, renews it early, and never returns an expired one."""

import asyncio
import os
import stat
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from gemwatch.adapters.login.az import PASSING, TokenCommand
from gemwatch.adapters.login.azure import AZURE_LIMIT, REMEDIES, azure_text, cli_command
from gemwatch.adapters.login.command import COMMAND_LIMIT, command_name, command_output
from gemwatch.adapters.login.environment import child_environment
from gemwatch.adapters.login.token_text import read_token
from gemwatch.core.clock import Clock
from gemwatch.core.login import FIT_FOR_A_HEADER, LoginError, Token
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import AzureCredential, AzureSource, TokenSource

_MOST_BYTES = 64 * 1024  # of a token file
_AHEAD = timedelta(minutes=5)  # renew a token this long before it expires; earlier if its lifetime is long
_QUIET_AFTER_FAILURE = 30.0  # seconds after a failure in which a poll does not run the command again
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 300.0  # seconds between failing refreshes
_FIRST_RETRY, _LONGEST_RETRY = 1.0, 8.0  # seconds before a retry after a temporary failure
_RENEWED = 30.0  # seconds in which a token that was renewed after a refusal is not renewed again

_Stamp = tuple[int, int, int, int]


class Credentials:
    """Provides tokens. All callers share one fetch at a time, and none can cancel it for the others."""

    def __init__(
        self,
        source: TokenSource,
        clock: Clock,
        secrets: Secrets,
        *,
        retry: bool = True,
        command_limit: timedelta = COMMAND_LIMIT,
        azure_limit: timedelta = AZURE_LIMIT,
    ) -> None:
        """`retry` False: report every failure at once."""
        self.last_error: LoginError | None = None  # of the last fetch; None once one succeeds
        self._source = source
        self._clock = clock
        self._secrets = secrets
        self._retry = retry
        self._command_limit = command_limit
        self._azure_limit = azure_limit
        self._token: Token | None = None
        self._tenant: str | None = None  # of the last token
        self._renewed_at: float | None = None  # when it was fetched after a refusal, on the monotonic clock
        self._fetching: asyncio.Task[Token] | None = None
        self._failures = 0  # in a row
        self._failed_at = 0.0
        self._stamp: _Stamp | None = None

    @property
    def expires_at(self) -> datetime | None:
        """When the current token expires; None if there is none or its expiry is unknown."""
        return self._token.expires_at if self._token else None

    @property
    def remedy(self) -> str:
        """What to do if the API refuses the token: how to log in again, with the exact command."""
        match self._source:
            case TokenSource(file=Path() as file):
                return f"Write a new token to {file}"
            case TokenSource(azure=AzureSource(credential=credential)) if credential is not AzureCredential.CLI:
                return REMEDIES[credential]
            case TokenSource(value=str()):
                return (
                    "Put a new token into api.token.value; from a command or a file, gemwatch renews it automatically"
                )
        login = self._token_command()
        if login.is_az and self._token is not None and self._token.application:
            return login.own_folder_remedy()
        return login.remedy()

    async def token(self) -> Token:
        """A token that has not expired: the current one, else a new one. Raises LoginError.

        For 30 s after a failure it raises the same error, so that a hundred polls do not run the command a hundred
        times. It reads a changed token file at once. If that file is half written, the current valid token stays in
        use.
        """
        if self._source.file is not None and _stamp(self._source.file) != self._stamp:
            with suppress(LoginError):
                return await self._fetch(retry=self._good_token() is None)
        if (token := self._good_token()) is not None:
            return token
        quiet = self._clock.monotonic() < self._failed_at + _QUIET_AFTER_FAILURE
        if self.last_error is not None and quiet and self._fetching is None:
            raise self.last_error.with_traceback(None)
        return await self._fetch()

    async def renew(self, stale: Token | None) -> Token:
        """A token other than `stale`, which the API refused: the current one if it differs, else a new one.

        `stale` None always fetches. The result is the same token again if the source has no other, or if the token
        was renewed just now: then the API did not refuse it for its age. Raises LoginError.
        """
        token = self._good_token()
        if stale is not None and token is not None and (token is not stale or self._was_renewed_just_now()):
            return token
        renewed = await self._fetch()
        if stale is not None:
            self._renewed_at = self._clock.monotonic()
        return renewed

    async def refresh_if_due(self) -> None:
        """Fetch a new token if the current one expires soon. Call it every few seconds; it never raises.

        While that fails, the old token stays in use, the pauses grow, and `last_error` has the reason.
        """
        if self._token is None or not _nears_its_end(self._token, self._clock.now()):
            return
        pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE) if self._failures else 0.0
        if self._clock.monotonic() < self._failed_at + pause:
            return
        with suppress(LoginError):
            await self._fetch(retry=False)  # there is time, and the pauses above

    async def close(self) -> None:
        """End a running fetch and all its processes. Callers that wait for it get a LoginError.

        Only for the program's exit. Do not close credentials that a reload replaces: polls may still wait for their
        fetch, which ends on its own.
        """
        if (fetching := self._fetching) is not None:
            fetching.cancel()
            await asyncio.wait([fetching])

    def _good_token(self) -> Token | None:
        token = self._token
        return None if token is None or _has_ended(token, self._clock.now()) else token

    async def _fetch(self, *, retry: bool = True) -> Token:
        if (fetching := self._fetching) is None:
            fetching = self._fetching = asyncio.create_task(self._fetched(retry=retry), name="token")
            fetching.add_done_callback(self._fetch_done)
        await asyncio.wait([fetching])  # unlike an await of the task itself, this cancels only the waiting
        if fetching.cancelled():
            raise LoginError("the token was not fetched, since gemwatch is stopping")
        return fetching.result()

    def _fetch_done(self, fetching: "asyncio.Task[Token]") -> None:
        self._fetching = None
        if not fetching.cancelled():
            fetching.exception()  # mark as retrieved, even if no caller waits

    def _was_renewed_just_now(self) -> bool:
        """Whether the current token just replaced a refused one. False for a file, which is cheap to read again."""
        since = self._renewed_at
        return self._source.file is None and since is not None and self._clock.monotonic() < since + _RENEWED

    async def _fetched(self, *, retry: bool) -> Token:
        began = self._clock.monotonic()
        try:
            token = await self._retried(began, retry=retry and self._retry)
        except LoginError as error:
            self.last_error = error
            self._failures += 1
            self._failed_at = self._clock.monotonic()
            raise
        self._token, self.last_error, self._failures, self._renewed_at = token, None, 0, None
        return token

    async def _retried(self, began: float, *, retry: bool) -> Token:
        """A token. Retries a temporary failure for as long as its `retry_for` says."""
        waited, pause = 0.0, _FIRST_RETRY
        while True:
            try:
                return await self._from_source()
            except LoginError as error:
                spent = max(waited, self._clock.monotonic() - began)
                if not retry or spent + pause > error.retry_for:
                    raise
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, _LONGEST_RETRY)

    def _token_command(self) -> TokenCommand:
        command = self._source.command or cli_command(
            self._source.azure or AzureSource(credential=AzureCredential.CLI)
        )
        environ = child_environment(os.environ, referred=self._source.withheld, secrets=self._secrets)
        return TokenCommand(command=command, environ=environ, tenant=self._tenant)

    async def _from_source(self) -> Token:
        match self._source:
            case TokenSource(file=Path() as file):
                self._stamp = _stamp(file)  # before reading, so that a write in the meantime is noticed next time
                text = _text_of(file)
                return self._checked(text, f"the token file {file}", "Write a valid token to it", retry_for=PASSING)
            case TokenSource(azure=AzureSource(credential=credential) as azure) if (
                credential is not AzureCredential.CLI
            ):
                text = await azure_text(azure, self._secrets, self._azure_limit)
                return self._checked(text, f"Azure ({credential})", REMEDIES[credential])
            case TokenSource(value=str() as text):
                return self._checked(
                    text, "api.token.value", "Use a command or a file instead: gemwatch renews such tokens"
                )
        login = self._token_command()
        text = await command_output(login, self._secrets, self._command_limit)
        return self._checked(text, command_name(login.command), login.remedy())

    def _checked(self, text: str, origin: str, what_to_do: str, *, retry_for: float = 0.0) -> Token:
        now = self._clock.now()
        try:
            given = read_token(text, now)
        except ValueError as error:
            raise LoginError(f"{origin} gave no token: {error}", remedy=what_to_do, retry_for=retry_for) from None
        self._secrets.add(given.value)
        token = Token(value=given.value, fetched_at=now, expires_at=given.expires_at, application=given.application)
        if not FIT_FOR_A_HEADER.fullmatch(given.value):
            raise LoginError(
                f"{origin} gave a token with characters that are not allowed in a header", remedy=what_to_do
            )
        if _has_ended(token, now):
            times = f"ended at {token.expires_at:%F %T} UTC, and the clock here says {now:%F %T} UTC"
            raise LoginError(f"{origin} gave a token that {times}", remedy=what_to_do)
        self._tenant = given.tenant
        return token


def _has_ended(token: Token, now: datetime) -> bool:
    return token.expires_at is not None and token.expires_at <= now


def _nears_its_end(token: Token, now: datetime) -> bool:
    """Whether the last fifth of its lifetime or its last 5 minutes have begun; if short, its second half."""
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
        if not stat.S_ISREG(file.stat().st_mode):  # reading a pipe could block for ever
            raise LoginError(f"the token file {file} is not a regular file", remedy="Write the token to one")
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else type(error).__name__
        reason = f"the token file {file} cannot be read: {why}"
        raise LoginError(reason, remedy="Write a valid token to it", retry_for=PASSING) from None
    if len(content) > _MOST_BYTES:
        reason = f"the token file {file} is longer than {_MOST_BYTES >> 10} KiB"
        raise LoginError(reason, remedy="Write only a token to it")
    return content.decode("utf-8-sig", errors="replace")
