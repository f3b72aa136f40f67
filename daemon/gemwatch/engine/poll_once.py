"""One poll of one job: a token, a turn, a request; after a refusal one renewal and one more request."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Protocol

from gemwatch.core.clock import Clock
from gemwatch.core.health import DOUBTED_AFTER
from gemwatch.core.job import Observation, Refused, Throttled
from gemwatch.core.login import LoginError, Token
from gemwatch.core.refusals import Culprit, remedy
from gemwatch.engine.pace import Pace
from gemwatch.engine.ports import Api, Credentials


class Means(Protocol):
    """The current means to send requests. An edit may replace each of them between two awaits."""

    @property
    def api(self) -> Api: ...

    @property
    def credentials(self) -> Credentials: ...

    @property
    def pace(self) -> Pace: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResult:
    """An observation, and when its request was sent. `sent_at` None: no request was sent.

    `sent` is the same time in monotonic seconds. `first_sent_at` is the time of the first try, for the lateness.
    """

    seen: Observation
    sent_at: datetime | None = None
    sent: float = 0.0
    first_sent_at: datetime | None = None
    seconds: float = 0.0


class PollOnce:
    """Polls one job: a token, a turn, a request; after a refusal one renewal and one more request."""

    def __init__(
        self,
        *,
        active: Means,
        clock: Clock,
        barred: Callable[[], bool],
        doubted: Callable[[], bool],
        asking: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """`barred`: whether the login was refused while the poll waited for its turn; then nothing is sent.

        `doubted`: whether a 403 for the rate counts as a refusal, because there was no good answer for a long time.
        `asking` is entered for the duration of each request.
        """
        self._active = active
        self._clock = clock
        self._barred = barred
        self._doubted = doubted
        self._asking = asking

    async def __call__(self, job_id: int, *, probing: bool = False) -> PollResult:
        """Poll a job. `probing`: check with a new token and one request whether the login has recovered."""
        while True:
            credentials = self._active.credentials
            try:
                taken = await (self._probe if probing else self._try_twice)(job_id, credentials)
            except LoginError as error:
                if self._active.credentials is credentials:
                    return PollResult(seen=without_token(error, self._clock.now()))
                continue  # an edit has replaced the credentials: use the new ones
            if taken is not None:
                return taken

    async def _try_twice(self, job_id: int, credentials: Credentials) -> PollResult | None:
        token = await credentials.token()
        first = await self._ask(job_id, token, credentials, self._barred)
        if first is None or first.sent_at is None or not isinstance(first.seen, Refused):
            return first
        renewed = await credentials.renew(token)
        if renewed is token:  # it was already new
            return first
        again = await self._ask(job_id, renewed, credentials, self._barred)
        return again and replace(again, first_sent_at=first.sent_at)

    async def _probe(self, job_id: int, credentials: Credentials) -> PollResult | None:
        token = await credentials.renew(None)
        return await self._ask(job_id, token, credentials, lambda: False)

    async def _ask(
        self, job_id: int, token: Token, credentials: Credentials, barred: Callable[[], bool]
    ) -> PollResult | None:
        """Send one request in its turn. None: an edit has replaced the credentials, so the token may be outdated.

        Token and host are read in the same step, so that a token is never sent to another host.
        """
        active, clock = self._active, self._clock
        pace = active.pace
        async with pace.slot() as slot:
            if active.credentials is not credentials:
                return None
            if barred():
                reason = "not polled, since the login is refused"
                return PollResult(seen=Refused(at=clock.now(), reason=reason, certain=True))
            if not slot.granted:
                return PollResult(seen=Throttled(at=clock.now(), asked=False))
            sent_at, start = clock.now(), clock.monotonic()
            with self._asking():
                seen = await active.api.ask(job_id, token.value)
            if isinstance(seen, Throttled) and seen.status == HTTPStatus.FORBIDDEN and self._doubted():
                seen = _refusal_after_all(seen)
            pace.settle(seen)
            if isinstance(seen, Refused) and seen.remedy is None:
                seen = replace(seen, remedy=remedy(seen.culprit, seen.status, login=credentials.remedy))
            return PollResult(
                seen=seen, sent_at=sent_at, sent=start, first_sent_at=sent_at, seconds=clock.monotonic() - start
            )


def without_token(error: LoginError, now: datetime) -> Refused:
    return Refused(at=now, reason=error.reason, certain=True, culprit=Culprit.TOKEN, remedy=error.remedy or None)


def _refusal_after_all(seen: Throttled) -> Refused:
    """A quota does not stay exceeded for this long if requests pause in between."""
    minutes = DOUBTED_AFTER.total_seconds() / 60
    reason = f"{seen.reason}. There has been no other answer for {minutes:g} minutes"
    return Refused(at=seen.at, reason=reason, culprit=Culprit.RATE, status=seen.status, words=seen.words)
