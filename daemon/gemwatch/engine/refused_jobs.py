"""Jobs that are refused while others are answered: few are reported one by one, many as one failure."""

from datetime import datetime
from http import HTTPStatus

from gemwatch.core.clock import Clock
from gemwatch.core.events import Event
from gemwatch.core.job import Refused
from gemwatch.core.kinds import LoginFacts
from gemwatch.core.polls.decide import LOST_EVERY

MOST_ALONE = 5  # jobs that are reported one by one; more at a time are hardly each about its job
WITHIN = 2 * LOST_EVERY  # a refused job that was reported is polled again within this time


class RefusedJobs:
    """`since`: when many jobs began to be refused; None while there are few."""

    def __init__(self, *, clock: Clock, since: datetime | None) -> None:
        self._clock = clock
        self._refused: dict[int, float] = {}  # when each was last refused, in monotonic seconds
        self._from = clock.monotonic()
        self._recovered: float | None = None  # when the login last did
        self.since = since

    @property
    def many(self) -> bool:
        return self.since is not None

    def add(self, job_id: int, seen: Refused) -> Event | None:
        """Process that a job was refused although others were answered. Returns the event that many are."""
        self._refused[job_id] = self._clock.monotonic()
        self._forget()
        return None if self.many or len(self._refused) <= MOST_ALONE else self._event(seen)

    def login_recovered(self) -> None:
        self._recovered = self._clock.monotonic()

    def refuted(self, seen: Refused) -> Event | None:
        """The event that many jobs are refused, if that is what a login shows that a 403 seems to refuse again.

        It recovered a short while ago, so what refuses is rather something that answers some requests.
        """
        if self.many or self._recovered is None or seen.status != HTTPStatus.FORBIDDEN:
            return None
        recent = self._clock.monotonic() - self._recovered < WITHIN.total_seconds()
        return self._event(seen) if recent else None

    def _event(self, seen: Refused) -> Event:
        self.since = seen.at
        self._from = self._clock.monotonic()
        reason = f"Many jobs are refused while others are answered. The last refusal: {seen.reason}"
        facts = LoginFacts(
            over=False,
            reason=reason,
            since=self.since,
            culprit=seen.culprit,
            http_status=seen.status,
            words=seen.words,
            some_jobs=True,
        )
        return Event(at=seen.at, facts=facts)

    def check(self) -> Event | None:
        """Process that time has passed. Returns the event that there are few again."""
        if not self.many or self._clock.monotonic() - self._from < WITHIN.total_seconds():
            return None  # each refused job has to have been polled again, also after a restart
        self._forget()
        if len(self._refused) > MOST_ALONE // 2:
            return None
        since, self.since = self.since, None
        return Event(at=self._clock.now(), facts=LoginFacts(over=True, since=since, some_jobs=True))

    def _forget(self) -> None:
        old = self._clock.monotonic() - WITHIN.total_seconds()
        self._refused = {job_id: at for job_id, at in self._refused.items() if at > old}
