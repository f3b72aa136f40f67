"""What the pages and the HTTP API show. Reads with a connection and thread of its own: a page never delays a poll."""

import asyncio
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from gemwatch.adapters.store import dialects
from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads import view_queries as queries
from gemwatch.adapters.store.reads.groups import GroupRow, all_groups
from gemwatch.adapters.store.reads.past import ExperienceReader
from gemwatch.adapters.store.reads.rows import DeliveryRow, JobHistory, JobRow, Page, ServiceState
from gemwatch.core.clock import Clock
from gemwatch.core.settings import Place

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 5.0  # seconds for one read
DEFAULT_LIMIT, MOST = 50, 500  # rows of one answer


class Views:
    """Each method is one transaction, so what it returns belongs together. Reads run one after another.

    Each raises StoreError where the store does not answer. The program's own writes wait for the store; these do not.
    """

    def __init__(self, store: Place, clock: Clock, failure: Callable[[], str | None] = lambda: None) -> None:
        """`failure`: what keeps the program from writing to the store."""
        self._engine = open_to_read(store, live=True)
        self._clock = clock
        self._failure = failure
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="views")
        self._learner = ExperienceReader()
        self._connection: sa.Connection | None = None
        self._opened = ""

    async def jobs(
        self,
        *,
        job_ids: Collection[int] | None = None,
        search: str | None = None,
        status: Sequence[str] = (),
        watched: bool | None = None,
        finished: bool | None = None,
        needs_review: bool | None = None,
        state: str | None = None,
        group: str | None = None,
        sort: str = "job_id",
        descending: bool = False,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
    ) -> Page[JobRow]:
        """Some of the jobs.

        `search` is searched for in id, name and input file name, `status` are those to show (`UNSEEN` for jobs that
        were not seen yet), `needs_review` means that a job's success needs review, `sort` is one of `JOB_ORDERS`;
        jobs that lack what is sorted by come last.
        """
        where = queries.Wanted(
            job_ids=None if job_ids is None else frozenset(job_ids),
            search=search,
            status=tuple(status),
            watched=watched,
            finished=finished,
            needs_review=needs_review,
            state=state,
            group=group,
        )
        span = queries.Window(limit=limit, offset=offset)
        now = self._clock.now()
        return await self._read(
            queries.jobs, where, sort, span, descending=descending, learner=self._learner, now=now
        )

    async def states(
        self, *, search: str | None = None, watched: bool | None = True, group: str | None = None
    ) -> dict[str, int]:
        """How many of these jobs count as what: a status, UNSEEN, NOT_FOUND or NEEDS_REVIEW."""
        return await self._read(queries.states, queries.Wanted(search=search, watched=watched, group=group))

    async def job(self, job_id: int) -> JobHistory | None:
        return await self._read(queries.job, job_id, learner=self._learner, now=self._clock.now())

    async def deliveries(
        self,
        *,
        state: str | None = None,
        target: str | None = None,
        job_id: int | None = None,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
    ) -> Page[DeliveryRow]:
        """Some of the deliveries, newest first."""
        span = queries.Window(limit=limit, offset=offset)
        return await self._read(queries.deliveries_page, state, target, job_id, span)

    async def groups(self, name: str | None = None) -> tuple[GroupRow, ...]:
        """Every group that has members, or the one with this name."""
        return await self._read(all_groups, name, learner=self._learner, now=self._clock.now())

    async def names(self, job_ids: Collection[int]) -> dict[int, str]:
        """What those of these jobs are called that have a name."""
        return await self._read(queries.names, job_ids)

    async def service(self) -> ServiceState:
        """How the service is, and how much there is."""
        state = await self._read(queries.service_now)
        return replace(state, store_failure=self._failure())

    async def ended_sessions(self) -> frozenset[str]:
        """The digests of web sessions that ended by a logout."""
        return await self._read(queries.ended_sessions)

    async def changed(self) -> str:
        """A marker that differs from an earlier one if anything that a page shows may have changed since."""
        version = await self._read(self._data_version)
        return f"{version}-{self._failure() or ''}"

    def close(self) -> None:
        """Wait for the current read, then close the connection."""
        self._thread.submit(self._disconnect)
        self._thread.shutdown()
        self._engine.dispose()

    async def _read(self, work: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def read() -> T:
            try:
                connection = self._connected()
                with connection.begin():
                    return work(connection, *args, **kwargs)
            except sa.exc.DatabaseError:
                self._disconnect()
                raise

        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.wrap_future(self._thread.submit(read))
        except TimeoutError:
            raise StoreError(f"the store does not answer within {PATIENCE:.0f} s") from None
        except sa.exc.DatabaseError as error:
            raise StoreError(f"the store does not work: {error.orig}") from None

    def _connected(self) -> sa.Connection:
        """One connection for all reads: `data_version` counts what others have written since it was opened."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._opened = os.urandom(8).hex()  # one connection's count says nothing to another's
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _data_version(self, connection: sa.Connection) -> str:
        return f"{self._opened}-{dialects.marker(connection)}"
