"""`gemwatch token`: whether the login works, without showing what it gives."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from gemwatch.cli.common import Config, config_path, fail, secrets_of, settings_of

if TYPE_CHECKING:
    from gemwatch.core.login import Token


def token(context: typer.Context, config: Config = None) -> None:
    """Fetch a token and show how long it is valid.

    The token itself is never shown.
    """
    from gemwatch.adapters.login.credentials import Credentials
    from gemwatch.app.system_clock import SystemClock
    from gemwatch.core.login import LoginError

    settings, clock = settings_of(config_path(context, config)), SystemClock()
    try:
        had = asyncio.run(Credentials(settings.api.token, clock, secrets_of(settings)).token())
    except LoginError as error:
        fail(f"login: {error}")
    typer.echo(f"A token was had, {until(had, clock.now())}.")


def until(token: "Token", now: datetime) -> str:
    """For how long a token is good, in words."""
    if token.expires_at is None:
        return "which does not say when it ends: it is used until it is refused"
    minutes = int((token.expires_at - now).total_seconds() // 60)
    return f"good until {token.expires_at.astimezone():%Y-%m-%d %H:%M %Z} ({minutes} min)"
