"""The service itself in words for the terminal: what fails, and how login and API are."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from gemwatch.cli import streams
from gemwatch.cli.jobs import time_of
from gemwatch.cli.tables import in_colour, local

Service = Mapping[str, Any]  # as in `gemwatch status --json`


def failures(service: Service) -> Sequence[str]:
    """What keeps gemwatch from its work, the worst first."""
    found = []
    if service["login"] == "refused":
        found.append("login refused. No job is polled until the login works")
    if service["api"] == "down":
        found.append("the GEM API does not answer. gemwatch keeps trying")
    return found


def failure_lines(service: Service, width: int) -> list[str]:
    """For above a table on a terminal; empty where nothing fails."""
    lines = []
    for sentence in failures(service):
        lines += textwrap.wrap(sentence, max(20, width), subsequent_indent="  ")
    if lines and in_colour():
        lines = [f"\x1b[31m{line}\x1b[0m" for line in lines]
    return [*lines, ""] if lines else []


def complain_of_failures(service: Service) -> None:
    """The same on standard error, for where standard output holds records only."""
    for sentence in failures(service):
        streams.complain(sentence)


def service_line(service: Service) -> str:
    expiry = time_of(service["token_expires_at"])
    token = f"valid until {local(expiry)}" if expiry else "-"
    return f"Login: {service['login']}   API: {service['api']}   Token: {token}"
