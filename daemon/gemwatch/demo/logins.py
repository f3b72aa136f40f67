"""The simulated identity provider: its tokens live for seconds; real ones live for an hour."""

import secrets
from datetime import timedelta

from gemwatch.core.clock import Clock

TOKEN_LIFE = 12.0  # seconds: short, so that several renewals fall into one run


class Logins:
    """Issues tokens, and knows which of them are valid."""

    def __init__(self, clock: Clock, life: float = TOKEN_LIFE) -> None:
        self.given = 0
        self.life = life  # seconds
        self._clock = clock
        self._ends: dict[str, float] = {}

    def give(self) -> dict[str, str | int]:
        """A new token, in the form of `az account get-access-token`."""
        token = secrets.token_urlsafe(24)
        self._ends[token] = self._clock.monotonic() + self.life
        self.given += 1
        end = self._clock.now() + timedelta(seconds=self.life)
        return {
            "accessToken": token,
            "expiresOn": f"{end.astimezone():%F %T.%f}",  # local time, without saying so
            "expires_on": int(end.timestamp()),
            "tenant": "00000000-0000-0000-0000-000000000000",
            "tokenType": "Bearer",
        }

    def accepts(self, token: str) -> bool:
        return self._clock.monotonic() < self._ends.get(token, 0.0)

    def revoke_all(self) -> None:
        """Refuse every token issued so far, whatever its expiry."""
        self._ends.clear()
