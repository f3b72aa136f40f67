"""Learns past runs from the lists of jobs once, when the store is new."""

from collections.abc import Collection, Mapping
from typing import Any

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.listing import DOCUMENTED_TYPES, Listing
from gemwatch.core.lists.learning import learned_runs
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.ports import Database, Housekeeping, Learning
from gemwatch.engine.reading import Reading, reason_of

log = structlog.get_logger()

TRIES = 3  # for each list


class Learner:
    """Learned runs are never reported. Estimates, limits and comparisons use them like others."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        learning: Learning,
        housekeeping: Housekeeping,
        database: Database,
        clock: Clock,
        experience: Experience,
        notes: Mapping[str, Any],
    ) -> None:
        self._active = active
        self._learning = learning
        self._housekeeping = housekeeping
        self._database = database
        self._clock = clock
        self._experience = experience
        self._began = clock.now()
        self._next_at = 0.0
        self._left: dict[str, int] | None = (
            {} if notes.get("learned") else None
        )  # by type: tries; None: not known yet
        self._marker: tuple[int, int | None] | None = None

    async def needs(self) -> Collection[str]:
        """Both lists until they were read, if the store was new."""
        now = self._clock.monotonic()
        if now < self._next_at:
            return ()
        self._next_at = now + self._active.settings.poll.list_every.total_seconds()
        if self._left is None:
            new = await self._database(self._learning.is_new, self._began)
            self._left = dict.fromkeys(DOCUMENTED_TYPES, TRIES) if new else {}
        await self._follow()
        return tuple(self._left)

    async def take(self, reading: Reading) -> None:
        """Learn from a list. A list that fails is read again, a few times."""
        if self._left is None or reading.job_type not in self._left:
            return
        if isinstance(reading.seen, Listing):
            del self._left[reading.job_type]
            runs = await self._database(
                self._learning.add, learned_runs(reading.seen.jobs.values(), self._clock.now())
            )
            log.info("runs_learned", job_type=reading.job_type, runs=runs)
            await self._follow()
        else:
            self._left[reading.job_type] -= 1
            if not self._left[reading.job_type]:
                del self._left[reading.job_type]
                detail = "To try again, run: gemwatch learn"
                reason = reason_of(reading.seen)
                log.warning("learning_failed", job_type=reading.job_type, reason=reason, detail=detail)
        if not self._left:
            await self._database(self._housekeeping.note, {"learned": True})

    async def follow_others(self) -> None:
        """Know what all replicas know: each adds only the runs that it records itself."""
        self._experience.replace(await self._database(self._learning.experience))

    async def _follow(self) -> None:
        """Use what was learned, also by the command."""
        marker = await self._database(self._learning.marker)
        if self._marker is not None and marker != self._marker:
            await self.follow_others()
        self._marker = marker
