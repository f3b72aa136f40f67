"""A list that was read, and what uses lists."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gemwatch.core.job import Failed, JobDetails, Refused, Throttled
from gemwatch.core.listing import Listed, Listing

MOST_PAGES = 500
MOST_JOBS = 300_000  # over all pages of a list


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


async def with_pages(
    first: Listing, request: Callable[[str], Awaitable[Listed | None]]
) -> tuple[Listing, str | None]:
    """The list and the pages after it, as long as each has jobs that the earlier ones do not have.

    The second value is why pages are missing. `request` returns None if it sent no request.
    """
    jobs, torn, page = dict(first.jobs), set[int](), first
    seen, why = {first.after}, None
    for _ in range(MOST_PAGES):
        if page.after is None:
            break
        got = await request(page.after)
        if not isinstance(got, Listing):
            why = f"the next page cannot be read: {reason_of(got)}"
            break
        new = got.jobs.keys() - jobs.keys()
        torn |= {job_id for job_id in got.jobs.keys() & jobs.keys() if got.jobs[job_id] != jobs[job_id]}
        jobs |= {job_id: got.jobs[job_id] for job_id in new}
        if not new or got.after in seen or len(jobs) > MOST_JOBS:
            break
        seen.add(got.after)
        page = got
    else:
        why = f"the list has more than {MOST_PAGES} pages"
    return replace(first, jobs=_without(jobs, torn), after=None), why


def reason_of(seen: Listed | None) -> str:
    """Why there is no list."""
    if seen is None:
        return "gemwatch has to wait"
    return seen.reason if isinstance(seen, Failed | Refused | Throttled) else "HTTP 404 Not Found"


def _without(jobs: dict[int, JobDetails], torn: set[int]) -> dict[int, JobDetails]:
    """Jobs that differ between pages changed in the meantime, or contradict each other: they count as not listed."""
    return {job_id: job for job_id, job in jobs.items() if job_id not in torn} if torn else jobs
