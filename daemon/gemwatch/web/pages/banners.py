"""Failures of the service as the pages show them. The words are those of messages and commands."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.rows import ServiceState
from gemwatch.core.health import ApiState, Login
from gemwatch.core.text import formatting
from gemwatch.core.text.context import NOWHERE
from gemwatch.core.text.failures import FAILING, Failure
from gemwatch.core.text.sanitize import single_line


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One failure. Screen readers read it at once."""

    name: str
    what: str
    meaning: str
    remedy: str
    commands: tuple[str, ...] = ()
    since: datetime | None = None
    url: str | None = None
    link: str = ""


def banners(service: ServiceState, stalled: str | None) -> tuple[Banner, ...]:
    """The worst first. `stalled`: why the program makes no progress, if it does not."""
    return tuple(_failures(service, stalled))


def store_banner(reason: str) -> Banner:
    return _banner(Failure.STORE, reason=reason)


def _failures(service: ServiceState, stalled: str | None) -> Iterator[Banner]:
    if service.store_failure:
        yield store_banner(service.store_failure)
    elif stalled:
        yield _banner(Failure.STALLED, reason=stalled)
    if service.login is Login.REFUSED:
        yield _banner(Failure.LOGIN, since=service.login_since)
    if service.api is ApiState.DOWN:
        yield _banner(Failure.API, since=service.api_since)
    if service.config != "ok":
        yield _banner(Failure.CONFIG if service.config_refused else Failure.CONFIG_ENTRIES)
    for name, health in service.targets_down:
        yield _banner(Failure.TARGET, target=name, reason=health.reason, since=health.down_since)
    if failed := service.failed:
        yield _banner(
            Failure.DELIVERIES,
            what=f"{formatting.counted(failed, 'notification', 'notifications')} could not be delivered",
            url="/deliveries?state=failed",
            link="Show them",
        )


def _banner(
    failure: Failure,
    *,
    what: str | None = None,
    reason: str | None = None,
    target: str | None = None,
    since: datetime | None = None,
    url: str | None = None,
    link: str = "",
) -> Banner:
    said = FAILING[failure]
    happened = what or said.happened.removesuffix(".")
    if target is not None:
        happened = f"{single_line(target, 80)}: {happened[:1].lower()}{happened[1:]}"
    return Banner(
        name=failure.value if target is None else f"{failure.value}-{single_line(target, 80)}",
        what=happened if reason is None else f"{happened}: {single_line(reason, 300)}",
        meaning=said.meaning,
        remedy=said.to_do,
        commands=NOWHERE.commands(said.commands),
        since=since,
        url=url,
        link=link,
    )
