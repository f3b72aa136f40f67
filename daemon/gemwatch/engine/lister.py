"""Reads the list of each job type that anything needs, once, with the pages that it names."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.job import Refused
from gemwatch.core.listing import Listed, Listing
from gemwatch.core.login import LoginError, Token
from gemwatch.core.refusals import remedy
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.health_monitor import Change, HealthMonitor
from gemwatch.engine.membership import Membership
from gemwatch.engine.poll_once import without_token
from gemwatch.engine.ports import Credentials, Database, Housekeeping, Store
from gemwatch.engine.reading import ListUser, Reading, with_pages
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

PROBE_EVERY = 60.0  # seconds between two probes while the login is refused


class Lister:
    """Asks the users which lists they need now, and hands each list to those that asked for it."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        users: Sequence[ListUser],
        housekeeping: Housekeeping,
        database: Database,
        clock: Clock,
        health_monitor: HealthMonitor,
        membership: Membership,
        store: Store,
        take: Callable[[Change], None],
    ) -> None:
        """`take` records a change of health."""
        self._store = store
        self._take = take
        self._active = active
        self._users = users
        self._housekeeping = housekeeping
        self._database = database
        self._clock = clock
        self._health_monitor = health_monitor
        self._membership = membership
        self._probe_at: float | None = None
        self._noted: dict[str, dict[str, str]] = {}  # by type: the paging hints that are logged and recorded
        self.wake_up = WakeUp()

    async def run(self) -> None:
        while True:
            await self.wake_up.wait(within=1)
            await self.round()

    async def round(self) -> None:
        """Read the lists that are needed now, if this replica does it."""
        await self._membership.if_leading(self._round)

    async def _round(self) -> None:
        if self._active.pace.held:
            return
        if not await self._may_ask():
            return
        needed: dict[str, list[ListUser]] = {}
        for user in self._users:
            for job_type in await user.needs():
                needed.setdefault(job_type, []).append(user)
        alone = bool(needed) and await self._alone()
        for job_type, users in needed.items():
            await self._serve(job_type, users, alone=alone)
            if self._health_monitor.locked_out:
                return  # one probe is enough

    async def _may_ask(self) -> bool:
        """While the login is refused, only if no poll can show that it has recovered, and rarely."""
        now = self._clock.monotonic()
        if not self._health_monitor.locked_out:
            self._probe_at = None
            return True
        if not await self._alone():
            self._probe_at = None
            return False
        if self._probe_at is None:
            self._probe_at = now + PROBE_EVERY  # a poll may have been the last probe
        if now < self._probe_at:
            return False
        self._probe_at = now + PROBE_EVERY
        return True

    async def _alone(self) -> bool:
        """Whether there are rules and no job is polled, so that only lists can show how login and API are."""
        return bool(self._active.settings.discover) and await self._database(self._store.next_due) is None

    async def _serve(self, job_type: str, users: Sequence[ListUser], *, alone: bool) -> None:
        sent_at, sent = self._clock.now(), self._clock.monotonic()
        first = await self._request(job_type, None, alone=alone)
        if first is None:
            return
        if alone:
            self._take(self._health_monitor.observe(first, sent_at=sent_at, sent=sent, others=False))
        seen, incomplete = first, None
        if isinstance(first, Listing):
            seen, incomplete = await with_pages(first, lambda page: self._request(job_type, page, alone=False))
            log.debug("list_read", job_type=job_type, listed=len(seen.jobs))
            await self._note_hints(seen, incomplete)
        reading = Reading(job_type=job_type, seen=seen, sent_at=sent_at, sent=sent, incomplete=incomplete)
        for user in users:
            await user.take(reading)

    async def _request(self, job_type: str, page: str | None, *, alone: bool) -> Listed | None:
        """None if no request was sent. Unless it is `alone`, a refused list does not count as a refused login: an
        account may be allowed to poll but not to list."""
        credentials = self._active.credentials
        try:
            probing = alone and self._health_monitor.locked_out
            token = await (credentials.renew(None) if probing else credentials.token())
            seen = await self._ask(job_type, page, token, credentials, alone=alone)
            if not alone or probing or not isinstance(seen, Refused):
                return seen
            renewed = await credentials.renew(token)
            if renewed is not token:
                seen = await self._ask(job_type, page, renewed, credentials, alone=alone)
        except LoginError as error:
            return without_token(error, self._clock.now()) if alone else None
        if isinstance(seen, Refused):
            return replace(seen, remedy=remedy(seen.culprit, seen.status, login=credentials.remedy))
        return seen

    async def _ask(
        self, job_type: str, page: str | None, token: Token, credentials: Credentials, *, alone: bool
    ) -> Listed | None:
        active = self._active
        pace = active.pace
        async with pace.slot() as slot:
            barred = self._health_monitor.locked_out and not alone
            if active.credentials is not credentials or barred or not slot.granted:
                return None
            with self._health_monitor.asking():
                seen = await active.api.list_jobs(job_type, token.value, page)
            pace.settle(seen)
        return seen

    async def _note_hints(self, listing: Listing, incomplete: str | None) -> None:
        """Log and record the paging hints of a list if they are new. TomTom documents no paging."""
        hints = {**listing.hints, **({"incomplete": incomplete} if incomplete else {})}
        if self._noted.get(listing.job_type, {}).keys() == hints.keys():
            return
        self._noted[listing.job_type] = hints
        log.info("list_has_page_hints", job_type=listing.job_type, hints=hints)
        await self._database(self._housekeeping.note, {"list_hints": {**self._noted}})
