"""How replicas share one rate of requests: which turns each of them has, and how long all wait if the API asks to.

Times are the database's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gemwatch.core.sharing.replicas import FRESH_FOR, Replica

# The replica that was asked to wait sends the first request afterwards. If it is gone, the others continue after this
# time.
FIRST_REQUEST: Final = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Of `parts` equal parts (turns in a row, or jobs) the one at `place`, counted from 0."""

    parts: int
    place: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Until when the API asked to wait, and the replica that it asked."""

    until: datetime
    replica: str


def share_of(me: str, members: Sequence[Replica], now: datetime) -> Share | None:
    """The turns of a replica. None: none yet, since another one does not know about it and uses a larger share."""
    fresh = now - timedelta(seconds=FRESH_FOR)  # the others send nothing
    alive = sorted(
        (one for one in members if one.id == me or one.seen_at > fresh), key=lambda one: (one.started_at, one.id)
    )
    ids = [one.id for one in alive]
    if me not in ids:
        return None
    place = ids.index(me)
    if any(one.seen_at <= alive[place].started_at for one in alive if one.id != me):
        return None
    return Share(parts=len(alive), place=place)


def next_turn(share: Share, rate: float, earliest: float) -> float:
    """The first turn at this time or later, in seconds on the database's clock."""
    gap = share.parts / rate
    first = share.place / rate
    turns = (earliest - first) // gap
    turn = first + turns * gap
    return turn if turn >= earliest else turn + gap


def wait_for(hold: Hold | None, me: str, now: datetime) -> timedelta:
    """How long a replica waits because of another one's hold; its own it knows itself."""
    if hold is None or hold.replica == me:
        return timedelta(0)
    return max(timedelta(0), hold.until + FIRST_REQUEST - now)


def after_report(before: Hold | None, mine: Hold, now: datetime) -> Hold | None:
    """What counts after a replica has reported its hold, or its end: a shorter one does not end a longer one."""
    if mine.until <= now:
        return None if before is None or before.replica == mine.replica else before
    return before if before is not None and before.until > mine.until else mine
