"""A bearer token, and the error if there is none."""

import re
from dataclasses import dataclass, field
from datetime import datetime

FIT_FOR_A_HEADER = re.compile(r"[\x21-\x7e]+")  # what a key or token may consist of


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A bearer token. `expires_at` None: unknown; the token is used until the API refuses it.

    `application`: the token says that it belongs to an application instead of a user.
    """

    value: str = field(repr=False)
    fetched_at: datetime
    expires_at: datetime | None = None
    application: bool = False


class LoginError(Exception):
    """There is no token, so no job can be polled. The text is `reason` and `remedy`: what happened, and what to do.

    `retry_for`: how many seconds to retry a failure that may be temporary, such as a locked cache; 0: permanent.
    """

    def __init__(self, reason: str, *, remedy: str = "", retry_for: float = 0.0) -> None:
        super().__init__(f"{reason}. {remedy}" if remedy else reason)
        self.reason = reason
        self.remedy = remedy
        self.retry_for = retry_for
