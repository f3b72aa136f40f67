"""What the messages to each target need to know besides the event: instance, pages, time zone, commands to copy."""

import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from gemwatch.core.settings import Postgresql, Settings
from gemwatch.core.text.context import Context

_SCOPE = "--scope"


def contexts(settings: Settings, config_path: Path | None) -> Mapping[str, Context]:
    """A context for each target. `config_path`: the configuration's file, for the commands in the messages."""
    name = _name(settings)
    return {
        target.name: Context(
            name=name,
            public_url=settings.web.public_url,
            zone=ZoneInfo(target.time_zone),
            config_path=None if config_path is None else str(config_path.absolute()),
            login_command=_login_command(settings.api.token.command),
        )
        for target in settings.targets
    }


def _name(settings: Settings) -> str:
    """The instance; with a store that several replicas can share, also the host that sends."""
    host = socket.gethostname()
    if settings.name == host or not isinstance(settings.store.place, Postgresql):
        return settings.name
    return f"{settings.name} ({host})"


def _login_command(command: tuple[str, ...] | None) -> str | None:
    """`az login` with the scope that the token command asks for; None for commands other than `az`."""
    if not command or Path(command[0]).name != "az":
        return None
    scope = [_SCOPE, command[at]] if _SCOPE in command and (at := command.index(_SCOPE) + 1) < len(command) else []
    return shlex.join(["az", "login", *scope])
