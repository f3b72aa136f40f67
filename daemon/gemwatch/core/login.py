"""A bearer token, and what it means to have none."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token. `expires_at` None: it does not say, and is used until it is refused.

    `application`: it was given to an application and not to a user, as far as it says.
    """

    value: str = field(repr=False)
    fetched_at: datetime
    expires_at: datetime | None = None
    application: bool = False


class LoginError(Exception):
    """There is no token, so no job can be polled. The text is `reason` and `remedy`: what happened, and what to do.

    `retry_for`: for so many seconds the failure may pass by itself, as with a cache that is locked; 0: it does not.
    """

    def __init__(self, reason: str, *, remedy: str = "", retry_for: float = 0.0) -> None:
        super().__init__(f"{reason}. {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy
        self.retry_for = retry_for
