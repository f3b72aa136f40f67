"""What a message needs to know besides the event: which instance sends it, and where its readers are."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """`public_url`: where the pages are, without a final slash. `login_command`: what a person runs to log in."""

    name: str | None = None
    public_url: str | None = None
    zone: tzinfo = UTC
    config_path: str | None = None
    login_command: str | None = None

    def command(self, template: str) -> str:
        """A command to copy: `{gemwatch}` is the program with its configuration, `{login}` the way to log in."""
        config = f" --config {shlex.quote(self.config_path)}" if self.config_path else ""
        return template.format(gemwatch=f"gemwatch{config}", login=self.login_command or "")

    def commands(self, templates: Iterable[str]) -> tuple[str, ...]:
        """Several of them, without those that cannot be given: not every login is a command."""
        return tuple(filter(None, map(self.command, templates)))


NOWHERE = Context()
