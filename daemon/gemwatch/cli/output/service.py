"""The service itself in words for the terminal: what fails, and how login and API are."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gemwatch.cli.output import streams
from gemwatch.cli.output.tables import in_colour, local
from gemwatch.core.health import ApiState, Login
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.core.text.failures import FAILING, Failure
from gemwatch.core.text.sanitize import single_line

if TYPE_CHECKING:
    from gemwatch.adapters.store.reads.rows import ServiceState
    from gemwatch.core.target_health import TargetHealth


def failures(service: "ServiceState", context: Context = NOWHERE) -> Sequence[str]:
    """What keeps gemwatch from its work: each in sentences, then commands on lines of their own."""
    found = [_in_words(failure, since, context) for failure, since in _failing(service)]
    return found + [
        _target_in_words(name, health, context) for name, health in sorted(service.targets.items()) if health.down
    ]


def _failing(service: "ServiceState") -> Iterator[tuple[Failure, datetime | None]]:
    if service.config_refused:
        yield Failure.CONFIG, service.config_since
    if service.login is Login.REFUSED:
        yield Failure.LOGIN, service.login_since
    if service.api is ApiState.DOWN:
        yield Failure.API, service.api_since


def _in_words(failure: Failure, since: datetime | None, context: Context, about: str = "", reason: str = "") -> str:
    words = FAILING[failure]
    when = f" Since {local(since)}." if since else ""
    commands = [f"  {command}" for command in context.commands(words.commands)]
    happened = f"{about}{words.happened}{reason}"
    return "\n".join([f"{happened}{when} {words.meaning} {words.to_do}", *commands])


def _target_in_words(name: str, health: "TargetHealth", context: Context) -> str:
    reason = f" Reason: {single_line(health.reason, 300)}." if health.reason else ""
    return _in_words(Failure.TARGET, health.down_since, context, f"{single_line(name, 80)}: ", reason)


def failure_lines(service: "ServiceState", width: int, context: Context = NOWHERE) -> list[str]:
    """For above a table on a terminal; empty where nothing fails."""
    lines: list[str] = []
    for failure in failures(service, context):
        sentence, *commands = failure.split("\n")
        wrapped = textwrap.wrap(sentence, max(20, width))
        lines += [f"\x1b[31m{line}\x1b[0m" for line in wrapped] if in_colour() else wrapped
        lines += [*commands, ""]
    return lines


def complain_of_failures(service: "ServiceState", context: Context = NOWHERE) -> None:
    """The same on standard error, for where standard output holds records only."""
    for sentence in failures(service, context):
        streams.complain(sentence)


def service_line(service: "ServiceState") -> str:
    expiry = service.token_expires_at
    token = f"valid until {local(expiry)}" if expiry else "-"
    return f"Login: {service.login}   API: {service.api}   Token: {token}"
