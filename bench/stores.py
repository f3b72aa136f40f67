"""Claims and records of the store itself, without a daemon: CPU of this process and of the database server."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.daemon import jobs
from bench.database import Server
from bench.figures import Figure
from bench.processes import wait_for
from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.polls.tracked import Verdict
from gemwatch.core.settings import Place, Watch
from gemwatch.core.work import Report, WatchClaim

_EVERY, _LEASE = timedelta(seconds=60), timedelta(minutes=5)
_COUNTS = (1_000, 10_000, 100_000)
_BATCH = 200
_LOADED = 10_000  # watches under the load of an hour
_TABLE = (
    "SELECT n_dead_tup, pg_relation_size('watches') / 1048576.0, pg_indexes_size('watches') / 1048576.0, "
    "100.0 * n_tup_hot_upd / greatest(n_tup_upd, 1), vacuum_count + autovacuum_count "
    "FROM pg_stat_user_tables WHERE relname = 'watches'"
)


@dataclass(slots=True)
class Cost:
    """CPU seconds of this process for claims and for records, and of the server for both; and their polls."""

    claims: float = 0.0
    records: float = 0.0
    server: float = 0.0
    polls: int = 0


class Load:
    """Watches that are polled each minute of a virtual time, as fast as the store takes it."""

    def __init__(self, place: Place, count: int, server: Server | None) -> None:
        upgrade(place)
        self._engine, self._server, self._count = open_to_write(place), server, count
        self._store, self._now = Store(self._engine), datetime.now(UTC)
        WatchList(self._engine).apply([Watch(job_id=job) for job in jobs(count)], _EVERY, self._now)

    def run(self, polls: int, batch: int = _BATCH) -> Cost:
        """This many polls, claimed and recorded in batches."""
        cost, server = Cost(), self._used()
        while cost.polls < polls:
            self._now += _EVERY * batch / self._count
            begun = time.thread_time()
            claims = self._store.claim_watches(self._now, batch, _LEASE)
            claimed = time.thread_time()
            reports = self._reports(claims)
            answered = time.thread_time()
            self._store.record(reports)
            cost.claims += claimed - begun
            cost.records += time.thread_time() - answered
            cost.polls += len(claims)
        cost.server = self._used() - server
        return cost

    def close(self) -> None:
        self._engine.dispose()

    def _used(self) -> float:
        return 0.0 if self._server is None else self._server.used()

    def _reports(self, claims: Sequence[WatchClaim]) -> list[Report]:
        """As after polls without news."""
        return [self._report(claim) for claim in claims]

    def _report(self, claim: WatchClaim) -> Report:
        memory = replace(claim.tracked.memory, seen_at=self._now)
        verdict = Verdict(job_id=claim.tracked.job_id, memory=memory, due_at=self._now + _EVERY)
        return Report(claim=claim.claim, at=self._now, verdict=verdict, quiet=True)


def store_costs(folder: Path, server: Server, *, quick: bool) -> Iterator[list[Figure]]:
    """A claim and a record, next to SQLite's, and by the number of watches."""
    folder.mkdir(parents=True, exist_ok=True)
    polls = 4_000 if quick else 10_000
    for count in _COUNTS:
        yield _costs(Load(folder / f"{count}.db", count, None), f"store, {count} watches, SQLite", polls)
        place = server.create(f"watches_{count}")
        yield _costs(Load(place, count, server), f"store, {count} watches, PostgreSQL", polls)


def _costs(load: Load, part: str, polls: int) -> list[Figure]:
    load.run(polls)  # the first polls of all watches are due at once
    figures = []
    for batch in (20, 200):
        cost = load.run(polls, batch)
        for what, seconds in (("claim", cost.claims), ("record", cost.records), ("server", cost.server)):
            if seconds:
                value = 1e6 * seconds / cost.polls
                figures.append(Figure(part=part, what=f"{what}, {batch} at a time", value=value, unit="µs a poll"))
    load.close()
    return figures


def dead_rows(server: Server, *, quick: bool) -> Iterator[list[Figure]]:
    """An hour of polls in about a minute. The server looks for dead rows once a second, instead of once a minute."""
    place = server.create("loaded")
    load = Load(place, _LOADED, server)
    _, table, index, _, _ = server.row(place, _TABLE)
    minutes = 10 if quick else 60
    with server.set("autovacuum_naptime", "1s"):

        def cleans() -> bool:
            load.run(_LOADED // 10)
            server.reload()
            return bool(server.row(place, _TABLE)[4])

        # Once it did not look at all for the whole time, which says nothing about the load.
        wait_for(cleans, "the server to look for dead rows once a second", every=1)
        load.run(minutes * _LOADED)
        load.close()
        time.sleep(1)  # until the server's statistics are up to date
    dead, later, index_later, hot, cleaned = server.row(place, _TABLE)
    part = f"{_LOADED} watches, {minutes} virtual minutes"
    yield [
        Figure(part=part, what="dead rows", value=dead),
        Figure(part=part, what="updates that leave the indexes alone", value=hot, unit="%"),
        Figure(part=part, what="times cleaned", value=cleaned),
        Figure(part=part, what="table, before", value=table, unit="MiB"),
        Figure(part=part, what="table, after", value=later, unit="MiB", most=10 * max(table, 1)),
        Figure(part=part, what="indexes, before", value=index, unit="MiB"),
        Figure(part=part, what="indexes, after", value=index_later, unit="MiB", most=10 * max(index, 1)),
    ]
