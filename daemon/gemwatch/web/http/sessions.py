"""Logged-in browsers: signed cookies, and which of them were logged out."""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer

from gemwatch.core.clock import Clock

LASTS = timedelta(hours=12)


class EndedSessions(Protocol):
    """The sessions that ended by a logout, kept in the store: a copy of the cookie must not work after it."""

    async def end(self, digest: str, expires_at: datetime) -> None:
        """Remember this session until it would have expired. Returns once the store has it."""

    async def ended(self) -> frozenset[str]:
        """The digests of all ended sessions. Raises StoreError."""


class _Signer(TimestampSigner):
    """Signs with the program's own clock."""

    def __init__(self, *args: Any, now: Callable[[], datetime], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._now = now

    def get_timestamp(self) -> int:
        return int(self._now().timestamp())


class Sessions:
    """Cookies are signed with a key made from the web token, so that another token ends them all. Each holds a random
    id; the store keeps the SHA-256 of those that were logged out, for as long as the cookie would have lasted."""

    def __init__(self, *, token: str, clock: Clock) -> None:
        self._clock = clock
        self._signed = URLSafeTimedSerializer(
            token,
            salt="gemwatch session",
            signer=_Signer,
            signer_kwargs={"now": clock.now, "key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def begin(self) -> str:
        """The cookie of a user who logs in now."""
        return str(self._signed.dumps(secrets.token_urlsafe(16)))

    def digest_of(self, cookie: str) -> str | None:
        """The session of a cookie; None if the cookie is not valid or has expired."""
        try:
            name = self._signed.loads(cookie, max_age=int(LASTS.total_seconds()) - 1)
            return hashlib.sha256(name.encode()).hexdigest() if isinstance(name, str) else None
        except (
            BadData,
            ValueError,
            TypeError,
            OverflowError,
            OSError,
        ):  # all but the first: signed, but not over a session
            return None
