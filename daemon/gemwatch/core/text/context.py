"""What a message needs in addition to the event: the sending instance, and its readers' zone and commands."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`public_url`: the address of the pages, without a trailing slash. `login_command`: the command to log in."""

    name: str | None = None
    public_url: str | None = None
    zone: tzinfo = UTC
    config_path: str | None = None
    login_command: str | None = None

    def command(self, template: str, target: str | None = None) -> str:
        """A command to copy.

        `{gemwatch}` is the program with its configuration, `{login}` the command to log in, `{target}` a target.
        """
        config = f" --config {shlex.quote(self.config_path)}" if self.config_path else ""
        return template.format(
            gemwatch=f"gemwatch{config}", login=self.login_command or "", target=shlex.quote(target or "TARGET")
        )

    def commands(self, templates: Iterable[str], target: str | None = None) -> tuple[str, ...]:
        """Several commands, without those that are unknown: not every login is a command."""
        return tuple(filter(None, (self.command(template, target) for template in templates)))


NOWHERE = Context()
