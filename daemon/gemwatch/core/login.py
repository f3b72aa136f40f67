"""A bearer token, and what it means to have none."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token. `expires_at` None: it does not say, and is good until it is refused."""

    value: str = field(repr=False)
    fetched_at: datetime
    expires_at: datetime | None = None


class LoginError(Exception):
    """No token can be had. The message says what happened and what to do; without a token no job is polled."""
