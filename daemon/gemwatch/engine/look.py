"""One look at one job: a token, a turn, a request; on a refusal one renewal and one more try."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gemwatch.core.clock import Clock
from gemwatch.core.job import Observation, Refused, Throttled
from gemwatch.core.login import LoginError, Token
from gemwatch.engine.live import Live


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What was seen. `sent_at` None: no request was sent, for want of a token."""

    seen: Observation
    sent_at: datetime | None
    seconds: float


async def look(live: Live, clock: Clock, job_id: int, *, barred: Callable[[], bool] | None) -> Look:
    """Look at a job.

    `barred` says, when the turn comes, whether the login has been found refused meanwhile: then nothing is
    sent. None makes this the probe that finds out whether the login works again: a new token, one request.
    """
    try:
        token = await (live.credentials.renew(None) if barred is None else live.credentials.token())
        first = await _ask(live, clock, job_id, token, barred)
        if barred is None or not isinstance(first.seen, Refused) or first.sent_at is None:
            return first
        token = await live.credentials.renew(token)
    except LoginError as error:
        return _not_sent(clock, str(error))
    again = await _ask(live, clock, job_id, token, barred)
    return Look(seen=again.seen, sent_at=first.sent_at, seconds=again.seconds)


async def _ask(live: Live, clock: Clock, job_id: int, token: Token, barred: Callable[[], bool] | None) -> Look:
    async with live.pace.slot():
        if barred is not None and barred():
            return _not_sent(clock, "not asked, since the login is refused")
        sent_at, start = clock.now(), clock.monotonic()
        seen = await live.api.ask(job_id, token.value)
        if isinstance(seen, Throttled) and seen.retry_after is not None:
            live.pace.hold(seen.retry_after)
        return Look(seen=seen, sent_at=sent_at, seconds=clock.monotonic() - start)


def _not_sent(clock: Clock, reason: str) -> Look:
    return Look(seen=Refused(at=clock.now(), reason=reason, certain=True), sent_at=None, seconds=0)
