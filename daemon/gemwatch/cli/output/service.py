"""The service itself in words for the terminal: what fails, and how login and API are."""

import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from gemwatch.cli.output import streams
from gemwatch.cli.output.tables import in_colour, local
from gemwatch.core.health import ApiState, Login
from gemwatch.core.text.context import NOWHERE
from gemwatch.core.text.failures import FAILING, Failure

if TYPE_CHECKING:
    from gemwatch.adapters.store.reads.rows import ServiceState


def failures(service: "ServiceState") -> Sequence[str]:
    """What keeps gemwatch from its work: each in sentences, then commands on lines of their own."""
    return [_in_words(failure, since) for failure, since in _failing(service)]


def _failing(service: "ServiceState") -> Iterator[tuple[Failure, datetime | None]]:
    if service.config_refused:
        yield Failure.CONFIG, None
    if service.login is Login.REFUSED:
        yield Failure.LOGIN, service.login_since
    if service.api is ApiState.DOWN:
        yield Failure.API, service.api_since


def _in_words(failure: Failure, since: datetime | None) -> str:
    words = FAILING[failure]
    when = f" Since {local(since)}." if since else ""
    commands = [f"  {command}" for command in NOWHERE.commands(words.commands)]
    return "\n".join([f"{words.happened}{when} {words.meaning} {words.to_do}", *commands])


def failure_lines(service: "ServiceState", width: int) -> list[str]:
    """For above a table on a terminal; empty where nothing fails."""
    lines: list[str] = []
    for failure in failures(service):
        sentence, *commands = failure.split("\n")
        wrapped = textwrap.wrap(sentence, max(20, width))
        lines += [f"\x1b[31m{line}\x1b[0m" for line in wrapped] if in_colour() else wrapped
        lines += [*commands, ""]
    return lines


def complain_of_failures(service: "ServiceState") -> None:
    """The same on standard error, for where standard output holds records only."""
    for sentence in failures(service):
        streams.complain(sentence)


def service_line(service: "ServiceState") -> str:
    expiry = service.token_expires_at
    token = f"valid until {local(expiry)}" if expiry else "-"
    return f"Login: {service.login}   API: {service.api}   Token: {token}"
