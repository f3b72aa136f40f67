"""What the pages and the HTTP API show. Reads only, beside the program's own work: a page never delays a poll."""

import asyncio
import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

import sqlalchemy as sa

from gemwatch import __version__
from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads import json_shapes, shapes
from gemwatch.adapters.store.reads import view_queries as queries
from gemwatch.adapters.store.runs import Learner
from gemwatch.core.clock import Clock

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 5.0  # seconds for one look into the store
DEFAULT_LIMIT, MOST = 50, 500  # rows of one answer


class Views:
    """Each look is one transaction, so what it returns belongs together. Looks are taken one after another.

    Each raises StoreError where the store does not answer: that is said, not waited for, unlike by the program
    itself, which must not lose what it has to write.
    """

    def __init__(self, url: str, clock: Clock, trouble: Callable[[], str | None] = lambda: None) -> None:
        """`trouble`: what is wrong with the store for who writes to it."""
        self._engine = open_to_read(url, live=True)
        self._clock = clock
        self._failure = trouble
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="views")
        self._learner = Learner()
        self._connection: sa.Connection | None = None
        self._opened = ""

    async def jobs(
        self,
        *,
        search: str | None = None,
        status: Sequence[str] = (),
        watched: bool | None = None,
        finished: bool | None = None,
        needs_review: bool | None = None,
        state: str | None = None,
        sort: str = "job_id",
        descending: bool = False,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
    ) -> shapes.JobPage:
        """`{"jobs": [...], "total": n, "limit": n, "offset": n}`, the jobs as in `gemwatch status --json`.

        `search` is looked for in id, name and input file name, `status` are those to show (`UNSEEN` for jobs that
        were not seen yet), `needs_review` says whether a job's success should be looked at, `sort` is one of
        `JOB_ORDERS`; jobs that lack what is sorted by come last.
        """
        where = queries.Wanted(
            search=search,
            status=tuple(status),
            watched=watched,
            finished=finished,
            needs_review=needs_review,
            state=state,
        )
        span = queries.Span(limit=limit, offset=offset)
        now = self._clock.now()
        found = await self._poll(
            queries.jobs, where, sort, span, descending=descending, learner=self._learner, now=now
        )
        return json_shapes.jobs_page_json(found)

    async def states(self, *, search: str | None = None) -> dict[str, int]:
        """How many watched jobs that fit the search count as what: a status, UNSEEN, NOT_FOUND or NEEDS_REVIEW."""
        return await self._poll(queries.states, queries.Wanted(search=search, watched=True))

    async def job(self, job_id: int) -> shapes.JobWithHistory | None:
        """A job as in `gemwatch status --json`, with its "transitions", "deliveries" and earlier "runs"."""
        found = await self._poll(queries.job, job_id, learner=self._learner, now=self._clock.now())
        return None if found is None else json_shapes.history_json(found)

    async def deliveries(
        self,
        *,
        state: str | None = None,
        target: str | None = None,
        job_id: int | None = None,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
    ) -> shapes.DeliveryPage:
        """`{"deliveries": [...], "total", "limit", "offset"}`, newest first, as in `gemwatch deliveries --json`."""
        span = queries.Span(limit=limit, offset=offset)
        return json_shapes.deliveries_page_json(
            await self._poll(queries.deliveries_page, state, target, job_id, span)
        )

    async def names(self, job_ids: Collection[int]) -> dict[int, str]:
        """What those of these jobs are called that have a name."""
        return await self._poll(queries.names, job_ids)

    async def service(self) -> shapes.Service:
        """How the service is, and how much there is."""
        state = await self._poll(queries.service_now)
        return json_shapes.service_json(state, version=__version__, store_trouble=self._failure())

    async def ended_sessions(self) -> frozenset[str]:
        """The digests of web sessions that ended by a logout."""
        return await self._poll(queries.ended_sessions)

    async def changed(self) -> str:
        """A marker that differs from an earlier one if anything that a page shows may have changed since."""
        version = await self._poll(self._data_version)
        return f"{version}-{self._failure() or ''}"

    def close(self) -> None:
        """Wait for the look in hand, and let go of the store."""
        self._thread.submit(self._let_go)
        self._thread.shutdown()
        self._engine.dispose()

    async def _poll(self, work: Callable[Concatenate[sa.Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        def poll_once() -> T:
            try:
                connection = self._connected()
                with connection.begin():
                    return work(connection, *args, **kwargs)
            except sa.exc.DatabaseError:
                self._let_go()
                raise

        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.wrap_future(self._thread.submit(poll_once))
        except TimeoutError:
            raise StoreError(f"the store does not answer within {PATIENCE:.0f} s") from None
        except sa.exc.DatabaseError as error:
            raise StoreError(f"the store does not work: {error.orig}") from None

    def _connected(self) -> sa.Connection:
        """One connection for all looks: `data_version` counts what others write, from its own beginning on."""
        if self._connection is None:
            self._connection = self._engine.connect()
            self._opened = os.urandom(8).hex()  # one connection's count says nothing to another's
        return self._connection

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _data_version(self, connection: sa.Connection) -> str:
        return f"{self._opened}-{connection.exec_driver_sql('PRAGMA data_version').scalar_one()}"
