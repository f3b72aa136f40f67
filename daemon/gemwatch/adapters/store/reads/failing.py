"""What fails in the service, from what the store holds, in the words of messages: for commands and pages."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gemwatch.adapters.store.reads.rows import ServiceState
from gemwatch.core.health import ApiState, Login
from gemwatch.core.text.context import Context
from gemwatch.core.text.failures import FAILING, Failure
from gemwatch.core.text.sanitize import single_line
from gemwatch.core.text.steps import Step

_LONGEST_REASON, _LONGEST_NAME = 300, 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A failure: what happened and what it means, each in sentences, and what to do. `target`: which one is down."""

    failure: Failure
    happened: str
    meaning: str
    steps: tuple[Step, ...]
    reason: str = ""
    since: datetime | None = None
    target: str | None = None

    @property
    def sentences(self) -> str:
        reason = f" Reason: {self.reason}." if self.reason else ""
        return f"{self.happened}{reason}"


def failing(service: ServiceState, context: Context) -> Iterator[Failing]:
    """What keeps gemwatch from its work, the worst first. Neither the store itself nor a program that is stuck."""
    if service.config_refused:
        yield failing_now(Failure.CONFIG, context, since=service.config_since)
    if service.login is Login.REFUSED:
        yield failing_now(
            Failure.LOGIN,
            context,
            since=service.login_since,
            reason=service.login_reason,
            remedy=service.login_remedy,
        )
    elif service.many_refused_since is not None:
        yield failing_now(Failure.LOGIN_FOR_SOME, context, since=service.many_refused_since)
    if service.api is ApiState.DOWN:
        failure = Failure.API_FORM if service.api_form else Failure.API
        yield failing_now(failure, context, since=service.api_since, reason=service.api_reason)
    if service.config == "entries-skipped":
        yield failing_now(Failure.CONFIG_ENTRIES, context)
    for name, health in service.targets_down:
        rerouted = service.fallbacks.get(name)
        waits = rerouted is None or rerouted in dict(service.targets_down)
        failure = Failure.TARGET if waits else Failure.TARGET_WITH_FALLBACK
        yield failing_now(failure, context, since=health.down_since, reason=health.reason, target=name)


def failing_now(
    failure: Failure,
    context: Context,
    *,
    since: datetime | None = None,
    reason: str | None = None,
    remedy: str | None = None,
    target: str | None = None,
) -> Failing:
    words = FAILING[failure]
    happened = words.happened
    if target is not None:
        target = single_line(target, _LONGEST_NAME)
        happened = f"{target}: {happened[:1].lower()}{happened[1:]}"
    return Failing(
        failure=failure,
        happened=happened,
        meaning=words.meaning,
        steps=words.steps(context, remedy, target),
        reason=single_line(reason or "", _LONGEST_REASON).rstrip("."),
        since=since,
        target=target,
    )
