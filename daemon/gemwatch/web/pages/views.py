"""The pages: the list of jobs, one job, groups, the deliveries. They only show, and work without a script."""

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gemwatch import __version__
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads.rows import DeliveryRow, JobRow, Page, ServiceState
from gemwatch.adapters.store.reads.views import MOST, Views
from gemwatch.core.clock import Clock
from gemwatch.core.job import Status
from gemwatch.core.text.context import Context
from gemwatch.core.text.replicas import described
from gemwatch.web.http import parameters
from gemwatch.web.http.health import ProgramState
from gemwatch.web.http.parameters import ParameterError
from gemwatch.web.http.shared import Handler, SharedAnswers
from gemwatch.web.pages import headings
from gemwatch.web.pages import query as asking
from gemwatch.web.pages.banners import banners, store_banner
from gemwatch.web.pages.exports import badge_svg, jobs_csv
from gemwatch.web.pages.groups import shown_group
from gemwatch.web.pages.headings import FAILED_FIRST, delivery
from gemwatch.web.pages.job import job_page
from gemwatch.web.pages.jobs import row
from gemwatch.web.pages.query import ROWS, ListQuery
from gemwatch.web.pages.rendering import Renderer, static_files


class Pages:
    def __init__(
        self,
        *,
        state: ProgramState,
        views: Views,
        renderer: Renderer,
        clock: Clock,
        context: Context,
        log_out: bool = False,
        badge: str = "login",
    ) -> None:
        """`log_out`: offer it, since users had to log in. `badge` "open": other sites may show it."""
        self._state = state
        self._views = views
        self._renderer = renderer
        self._clock = clock
        self._context = context
        self._log_out = log_out
        self._badge_is_private = badge != "open"

    def routes(self, shared: SharedAnswers) -> list[Route]:
        return [
            Route("/", shared(self._safely(self._jobs))),
            Route("/jobs/{job_id}", shared(self._safely(self._job))),
            Route("/groups", shared(self._safely(self._groups))),
            Route("/deliveries", shared(self._safely(self._deliveries))),
            Route("/jobs.csv", shared(self._safely(self._csv))),
            Route("/badge.svg", shared(self._badge)),
            static_files().route(),
        ]

    async def _jobs(self, request: Request) -> Response:
        """The watched jobs, or all members of a group."""
        asked = asking.query(request.query_params)
        service = await self._views.service()
        found = await self._find(asked, ROWS, asked.offset)
        counts = await self._views.states(search=asked.search or None, watched=asked.watched, group=asked.group)
        of_group = await self._views.groups(asked.group) if asked.group else ()
        now, pages = self._clock.now(), asking.pager(asked, found.total)
        if asked.group and not of_group:
            return self._page(
                "problem.html",
                service,
                now,
                status=404,
                here="groups",
                heading="gemwatch does not know this group",
                words="A group is known while gemwatch knows at least one of its jobs.",
                command=None,
            )
        group = shown_group(of_group[0]) if of_group else None
        watched = asking.counts_of(service.jobs)
        states = of_group[0].jobs if of_group else watched
        return self._page(
            "jobs.html",
            service,
            now,
            status=404 if pages.missing else 200,
            here="groups" if group else "jobs",
            heading=f"{group.name}: {group.words}" if group else headings.heading(watched),
            summary="" if group else headings.summary(watched),
            group=group,
            jobs=sum(states.values()),
            query=asked,
            chips=asking.chips(asked, counts),
            orders=asking.orders(asked),
            columns=asking.columns(asked),
            order_words=asking.order_words(asked),
            rows=[row(job, now) for job in found.rows],
            nothing=headings.nothing(asked, pages, states),
            pages=pages,
        )

    async def _find(self, asked: ListQuery, limit: int, offset: int) -> Page[JobRow]:
        return await self._views.jobs(
            search=asked.search or None,
            state=asked.state,
            watched=asked.watched,
            group=asked.group,
            sort=asked.sort,
            descending=asked.descending,
            limit=limit,
            offset=offset,
        )

    async def _csv(self, request: Request) -> Response:
        """All jobs that the list shows for the same address, not only one page of them."""
        asked = asking.query(request.query_params)
        jobs: list[JobRow] = []
        while True:
            found = await self._find(asked, MOST, len(jobs))
            jobs += found.rows
            if not found.rows or len(jobs) >= found.total:
                break
        name = {"Content-Disposition": 'attachment; filename="gemwatch-jobs.csv"'}
        return Response(jobs_csv(jobs), media_type="text/csv", headers=name)

    async def _groups(self, request: Request) -> Response:
        number = asking.page_number(request.query_params)
        service = await self._views.service()
        groups = await self._views.groups()
        pages = asking.group_pager(number, len(groups))
        return self._page(
            "groups.html",
            service,
            self._clock.now(),
            status=404 if pages.missing else 200,
            here="groups",
            groups=[shown_group(one) for one in groups[(number - 1) * ROWS : number * ROWS]],
            known=len(groups),
            nothing=headings.no_page(pages) if pages.missing else "No job is in a group yet",
            pages=pages,
        )

    async def _badge(self, _: Request) -> Response:
        try:
            service, states = await self._views.service(), await self._views.states()
        except StoreError as error:
            service, states = ServiceState(store_failure=str(error)), {}
        headers = {} if self._badge_is_private else {"Cross-Origin-Resource-Policy": "cross-origin"}
        return Response(
            badge_svg(service, states, self._state.stalled()), media_type="image/svg+xml", headers=headers
        )

    async def _job(self, request: Request) -> Response:
        job_id = _job_id(request.path_params["job_id"])
        service = await self._views.service()
        found = None if job_id is None else await self._views.job(job_id)
        now = self._clock.now()
        if found is None:
            return self._page(
                "problem.html",
                service,
                now,
                status=404,
                heading="gemwatch does not know this job",
                words="gemwatch knows the jobs that it watches and, for some time, those that it used to watch. "
                "To watch this one, run:",
                command=f"gemwatch watch {job_id or 'JOB_ID'}",
            )
        return self._page("job.html", service, now, job=job_page(found, now))

    async def _deliveries(self, request: Request) -> Response:
        state = request.query_params.get("state")
        state = state if state in FAILED_FIRST else None
        number = asking.page_number(request.query_params)
        service = await self._views.service()
        shown, counts = await self._some_deliveries(state, (number - 1) * ROWS)
        names = await self._views.names({one.job_id for one in shown if one.job_id is not None})
        total = sum(counts.values()) if state is None else counts[state]
        pages = asking.delivery_pager(state, number, total)
        nothing = f"No delivery is {state}" if state else "Nothing has been sent yet"
        return self._page(
            "deliveries.html",
            service,
            self._clock.now(),
            status=404 if pages.missing else 200,
            here="deliveries",
            heading="Deliveries",
            chips=headings.state_chips(state, counts),
            deliveries=[delivery(one, names.get(one.job_id or 0)) for one in shown],
            nothing=headings.no_page(pages) if pages.missing else nothing,
            pages=pages,
        )

    async def _some_deliveries(self, state: str | None, offset: int) -> tuple[list[DeliveryRow], dict[str, int]]:
        """One page of them, those first that need action, and how many there are of each state."""
        shown: list[DeliveryRow] = []
        counts: dict[str, int] = {}
        for one in FAILED_FIRST:
            wanted = state in (None, one)
            found = await self._views.deliveries(state=one, limit=ROWS if wanted else 0, offset=offset)
            shown += found.rows
            counts[one] = found.total
            offset = max(0, offset - found.total) if wanted else offset
        return shown[:ROWS], counts

    def _page(
        self, template: str, service: ServiceState, now: datetime, *, status: int = 200, **shown: Any
    ) -> Response:
        """With what stands on every page."""
        problems = banners(service, self._state.stalled(), self._context)
        mood = "running" if service.jobs.get(Status.IN_PROGRESS) else "calm"
        text = self._renderer.draw(
            template,
            banners=problems,
            failed=service.failed,
            follows=True,
            log_out=self._log_out,
            mood="failing" if problems else mood,
            now=now,
            replicas=described(service.replicas),
            version=__version__,
            **shown,
        )
        return HTMLResponse(text, status)

    def _safely(self, page: Handler) -> Handler:
        """The page, or the one that says why there is none: the store may not answer."""

        async def answered(request: Request) -> Response:
            try:
                return await page(request)
            except StoreError as error:
                text = self._renderer.draw(
                    "problem.html",
                    banners=(store_banner(str(error), self._context),),
                    follows=True,
                    mood="failing",
                    now=self._clock.now(),
                    heading="There is nothing to show right now",
                    words="This page loads again once the store has recovered.",
                    command=None,
                )
                return HTMLResponse(text, 503)

        return answered


def _job_id(text: str) -> int | None:
    """The id in an address; None where no job can have it."""
    try:
        return parameters.job_id("job_id", text)
    except ParameterError:
        return None
