"""Reads the list of each job type that anything needs, once, with the pages that it names."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, JobDetails, Observation, Refused
from gemwatch.core.listing import Listed, Listing
from gemwatch.core.login import LoginError
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.ports import Database, ListNotes
from gemwatch.engine.reading import ListUser, Reading
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

MOST_PAGES = 500
MOST_JOBS = 300_000  # over all pages of a list


class Lister:
    """Asks the users which lists they need now, and hands each list to those that asked for it."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        users: Sequence[ListUser],
        list_notes: ListNotes,
        database: Database,
        clock: Clock,
        health_monitor: HealthMonitor,
    ) -> None:
        self._active = active
        self._users = users
        self._list_notes = list_notes
        self._database = database
        self._clock = clock
        self._health_monitor = health_monitor
        self._noted: dict[str, dict[str, str]] = {}  # by type: the paging hints that are logged and recorded
        self.wake_up = WakeUp()

    async def run(self) -> None:
        while True:
            await self.wake_up.wait(within=1)
            await self.round()

    async def round(self) -> None:
        """Read the lists that are needed now."""
        if self._health_monitor.locked_out or self._active.pace.held:
            return
        needed: dict[str, list[ListUser]] = {}
        for user in self._users:
            for job_type in await user.needs():
                needed.setdefault(job_type, []).append(user)
        for job_type, users in needed.items():
            reading = await self._read(job_type)
            if reading is None:
                continue
            if isinstance(reading.seen, Listing):
                log.debug("list_read", job_type=job_type, listed=len(reading.seen.jobs))
                await self._note_hints(reading)
            for user in users:
                await user.take(reading)

    async def _read(self, job_type: str) -> Reading | None:
        """The list with all its pages. None if no request was sent."""
        sent_at, sent = self._clock.now(), self._clock.monotonic()
        first = await self._request(job_type, None)
        if not isinstance(first, Listing):
            return None if first is None else Reading(job_type=job_type, seen=first, sent_at=sent_at, sent=sent)
        whole, incomplete = await self._with_pages(first)
        return Reading(job_type=job_type, seen=whole, sent_at=sent_at, sent=sent, incomplete=incomplete)

    async def _with_pages(self, first: Listing) -> tuple[Listing, str | None]:
        """The list and the pages after it, as long as each has jobs that the earlier ones do not have.

        The second value is why pages are missing.
        """
        jobs, torn, page = dict(first.jobs), set[int](), first
        seen, why = {first.after}, None
        for _ in range(MOST_PAGES):
            if page.after is None:
                break
            got = await self._request(first.job_type, page.after)
            if not isinstance(got, Listing):
                why = f"the next page cannot be read: {_reason(got)}"
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

    async def _request(self, job_type: str, page: str | None) -> Listed | None:
        """None if no request was sent. A refused list does not count as a refused login, because an account may be
        allowed to poll but not to list."""
        active = self._active
        credentials = active.credentials
        try:
            token = await credentials.token()
        except LoginError:
            return None
        pace = active.pace
        async with pace.slot() as slot:
            if active.credentials is not credentials or self._health_monitor.locked_out or not slot.granted:
                return None
            with self._health_monitor.asking():
                seen = await active.api.list_jobs(job_type, token.value, page)
            pace.settle(seen)
        return seen

    async def _note_hints(self, reading: Reading) -> None:
        """Log and record the paging hints of a list if they are new. TomTom documents no paging."""
        assert isinstance(reading.seen, Listing)  # noqa: S101 (for mypy: the caller has checked)
        hints = dict(reading.seen.hints)
        if reading.incomplete:
            hints["incomplete"] = reading.incomplete
        if self._noted.get(reading.job_type, {}).keys() == hints.keys():
            return
        self._noted[reading.job_type] = hints
        log.info("list_has_page_hints", job_type=reading.job_type, hints=hints)
        await self._database(self._list_notes.note, {"list_hints": {**self._noted}})


def _without(jobs: dict[int, JobDetails], torn: set[int]) -> dict[int, JobDetails]:
    """Jobs that differ between pages changed in the meantime, or contradict each other: they count as not listed."""
    return {job_id: job for job_id, job in jobs.items() if job_id not in torn} if torn else jobs


def _reason(seen: Listed | None) -> str:
    if isinstance(seen, Failed | Refused):
        return seen.reason
    return "gemwatch has to wait" if seen is None or isinstance(seen, Observation) else "HTTP 404 Not Found"
