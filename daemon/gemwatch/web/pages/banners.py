"""Failures of the service as the pages show them. The words are those of messages and commands."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.failing import Failing, failing, failing_now
from gemwatch.adapters.store.reads.rows import ServiceState
from gemwatch.core.text import formatting
from gemwatch.core.text.context import Context
from gemwatch.core.text.failures import Failure
from gemwatch.core.text.steps import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One failure. Screen readers read it at once."""

    name: str
    what: str
    meaning: str
    steps: tuple[Step, ...]
    since: datetime | None = None
    url: str | None = None
    link: str = ""


def banners(service: ServiceState, stalled: str | None, context: Context) -> tuple[Banner, ...]:
    """The worst first. `stalled`: why the program makes no progress, if it does not."""
    return tuple(_banners(service, stalled, context))


def store_banner(reason: str, context: Context) -> Banner:
    return _banner(failing_now(Failure.STORE, context, reason=reason))


def _banners(service: ServiceState, stalled: str | None, context: Context) -> Iterator[Banner]:
    if service.store_failure:
        yield store_banner(service.store_failure, context)
    elif stalled:
        yield _banner(failing_now(Failure.STALLED, context, reason=stalled))
    yield from map(_banner, failing(service, context))
    if failed := service.failed:
        yield _banner(
            failing_now(Failure.DELIVERIES, context),
            what=f"{formatting.counted(failed, 'notification', 'notifications')} could not be delivered",
            url="/deliveries?state=failed",
            link="Show them",
        )


def _banner(found: Failing, *, what: str | None = None, url: str | None = None, link: str = "") -> Banner:
    happened = what or found.happened.removesuffix(".")
    return Banner(
        name=found.failure.value if found.target is None else f"{found.failure.value}-{found.target}",
        what=f"{happened}: {found.reason}" if found.reason else happened,
        meaning=found.meaning,
        steps=found.steps,
        since=found.since,
        url=url,
        link=link,
    )
