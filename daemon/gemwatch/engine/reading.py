"""A list that was read, and what uses lists."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gemwatch.core.listing import Listed


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The result of requesting the list of a type, with all pages that could be followed.

    The request was sent at `sent_at` (wall clock) and `sent` (monotonic seconds). `incomplete`: why some are missing.
    """

    job_type: str
    seen: Listed
    sent_at: datetime
    sent: float
    incomplete: str | None = None


class ListUser(Protocol):
    """Names the types of which it needs a list now, and gets one reading of each."""

    async def needs(self) -> Collection[str]: ...

    async def take(self, reading: Reading) -> None: ...
