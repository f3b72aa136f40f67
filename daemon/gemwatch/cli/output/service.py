"""The service itself in words for the terminal: what fails, and how login and API are."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from gemwatch.cli.output import streams
from gemwatch.cli.output.jobs import time_of
from gemwatch.cli.output.tables import in_colour, local
from gemwatch.core.health import ApiState, Login
from gemwatch.core.text.context import NOWHERE
from gemwatch.core.text.failures import FAILING, Failure

Service = Mapping[str, Any]  # as in `gemwatch status --json`


def failures(service: Service) -> Sequence[str]:
    """What keeps gemwatch from its work: each in sentences, then commands on lines of their own."""
    return [_in_words(failure, since) for failure, since in _failing(service)]


def _failing(service: Service) -> Iterator[tuple[Failure, datetime | None]]:
    if service.get("config") == "refused":
        yield Failure.CONFIG, time_of(service.get("config_since"))
    if service["login"] == Login.REFUSED:
        yield Failure.LOGIN, time_of(service.get("login_since"))
    if service["api"] == ApiState.DOWN:
        yield Failure.API, time_of(service.get("api_since"))


def _in_words(failure: Failure, since: datetime | None) -> str:
    words = FAILING[failure]
    when = f" Since {local(since)}." if since else ""
    commands = [f"  {command}" for command in NOWHERE.commands(words.commands)]
    return "\n".join([f"{words.happened}{when} {words.meaning} {words.to_do}", *commands])


def failure_lines(service: Service, width: int) -> list[str]:
    """For above a table on a terminal; empty where nothing fails."""
    lines: list[str] = []
    for failure in failures(service):
        sentence, *commands = failure.split("\n")
        wrapped = textwrap.wrap(sentence, max(20, width))
        lines += [f"\x1b[31m{line}\x1b[0m" for line in wrapped] if in_colour() else wrapped
        lines += [*commands, ""]
    return lines


def complain_of_failures(service: Service) -> None:
    """The same on standard error, for where standard output holds records only."""
    for sentence in failures(service):
        streams.complain(sentence)


def service_line(service: Service) -> str:
    expiry = time_of(service["token_expires_at"])
    token = f"valid until {local(expiry)}" if expiry else "-"
    return f"Login: {service['login']}   API: {service['api']}   Token: {token}"
