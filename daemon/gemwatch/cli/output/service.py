"""The service itself in words for the terminal: what fails, and how login and API are."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gemwatch.adapters.store.reads.failing import Failing, failing
from gemwatch.cli.output import streams
from gemwatch.cli.output.tables import in_colour, local
from gemwatch.core.text.context import Context
from gemwatch.core.text.replicas import described
from gemwatch.core.text.steps import text_of

if TYPE_CHECKING:
    from gemwatch.adapters.store.reads.rows import ServiceState


def failures(service: "ServiceState", context: Context) -> Sequence[str]:
    """What keeps gemwatch from its work: each in sentences, with the commands on lines of their own."""
    return [in_words(found) for found in failing(service, context)]


def in_words(found: Failing) -> str:
    when = f" Since {local(found.since)}." if found.since else ""
    said = f"{found.sentences}{when} {found.meaning}"
    first, *steps = found.steps
    start = [said, text_of([first])] if first.command else [f"{said} {first.text}"]
    return "\n".join([*start, *(text_of([step]) for step in steps)])


def failure_lines(service: "ServiceState", width: int, context: Context) -> list[str]:
    """For above a table on a terminal; empty where nothing fails."""
    lines: list[str] = []
    for failure in failures(service, context):
        for line in failure.split("\n"):
            command = line.startswith("  ")  # to be copied as a whole
            wrapped = [line] if command else textwrap.wrap(line, max(20, width))
            lines += [f"\x1b[31m{part}\x1b[0m" for part in wrapped] if in_colour() and not command else wrapped
        lines.append("")
    return lines


def complain_of_failures(service: "ServiceState", context: Context) -> None:
    """The same on standard error, for where standard output holds records only."""
    for sentence in failures(service, context):
        streams.complain(sentence)


def service_line(service: "ServiceState") -> str:
    expiry = service.token_expires_at
    token = f"valid until {local(expiry)}" if expiry else "-"
    return f"Login: {service.login}   API: {service.api}   Token: {token}"


def replica_lines(service: "ServiceState", width: int) -> list[str]:
    """The daemons that share the store; no line with SQLite."""
    words = "; ".join(described(service.replicas))
    return textwrap.wrap(f"Replicas: {words}", max(20, width), subsequent_indent="  ") if words else []
