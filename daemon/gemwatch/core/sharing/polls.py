"""Which of several replicas polls a due job first, so that each of them gets an equal part of the polls."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from gemwatch.core.health import Login
from gemwatch.core.sharing.rate import Share, share_of
from gemwatch.core.sharing.replicas import Replica

# A job that has been due for longer is polled by any replica, so that none waits for one that does not come.
FOR_ANY_AFTER: Final = timedelta(seconds=1)
# Seconds after which each replica gets another part: with a single job, too, each shows that its login works.
CHANGES_EVERY: Final = 600


def share_of_polls(me: str, replicas: Sequence[Replica], now: datetime) -> Share | None:
    """The jobs that this replica polls first. None: all, since no other replica polls or knows about this one."""
    polling = [one for one in replicas if one.id == me or one.login is not Login.REFUSED]
    share = share_of(me, polling, now)
    if share is None or share.parts == 1:
        return None
    return replace(share, place=(share.place + int(now.timestamp() // CHANGES_EVERY)) % share.parts)
