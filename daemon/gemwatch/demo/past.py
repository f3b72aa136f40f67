"""Earlier runs of the demo's jobs, put into the store the way the daemon would have recorded them."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from gemwatch.adapters.gem.wire import read_details
from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.job import Seen, Status
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Policy
from gemwatch.core.settings import Watch
from gemwatch.core.work import Report, WatchClaim, report_on
from gemwatch.demo.lives import Life

RUNS, APART = 6, timedelta(days=7)
_EVERY = timedelta(milliseconds=100)


def remember(path: Path, lives: Iterable[Life], now: datetime) -> None:
    """Fill a new store. Nothing is sent, because there are no targets yet."""
    named = [life for life in lives if life.name and life.running]
    upgrade(path)
    engine = open_to_write(path)
    store, watch_list = Store(engine), WatchList(engine)
    for number in range(RUNS, 0, -1):
        _play([life.earlier(number) for life in named], now - number * APART, store, watch_list)
    watch_list.apply([], _EVERY, now)
    engine.dispose()


def _play(lives: Sequence[Life], start: datetime, store: Store, watch_list: WatchList) -> None:
    watch_list.apply([Watch(job_id=life.job_id, name=life.name) for life in lives], _EVERY, start)
    by_id = {life.job_id: life for life in lives}
    for round_, status in enumerate((Status.REQUESTED, Status.IN_PROGRESS, Status.SUCCESS), start=1):
        claims = store.claim_watches(start + round_ * timedelta(hours=1), len(lives), timedelta(minutes=1))
        store.record([_seen(by_id[claim.tracked.job_id], claim, status, start) for claim in claims])


def _seen(life: Life, claim: WatchClaim, status: Status, start: datetime) -> Report:
    """What a poll at the moment of the change would have returned."""
    after = {Status.REQUESTED: 0.0, Status.IN_PROGRESS: life.waiting}.get(status, life.waiting + life.running)
    at = start + timedelta(seconds=after)
    raw = json.dumps(life.document(status, start))
    seen = Seen(at=at, job=read_details(raw), raw=raw)
    return report_on(claim, at, decide(claim.tracked, seen, Policy(), roll=0.5))
