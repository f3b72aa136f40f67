"""`gemwatch token`: whether the login works, without showing what it gives."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from gemwatch.cli.common import Config, Json, config_path, fail, print_json, settings_of
from gemwatch.core.text.formatting import moment, span, zone_name

if TYPE_CHECKING:
    from gemwatch.core.login import Token


def token(context: typer.Context, config: Config = None, *, as_json: Json = False) -> None:
    """Fetch a token and show how long it is valid.

    The token itself is never shown.
    """
    from gemwatch.adapters.login.credentials import Credentials
    from gemwatch.app.system_clock import SystemClock
    from gemwatch.core.login import LoginError
    from gemwatch.core.secrets import Secrets

    settings, clock = settings_of(config_path(context, config)), SystemClock()
    credentials = Credentials(settings.api.token, clock, Secrets.of(settings), retry=False)
    try:
        fetched = asyncio.run(credentials.token())
    except LoginError as error:
        fail(f"login: {error}")
    if as_json:
        expiry = fetched.expires_at and fetched.expires_at.isoformat()
        print_json({"expires_at": expiry, "application": fetched.application})
        return
    typer.echo(f"Got a token, {until(fetched, clock.now())}.")
    if fetched.application and settings.api.token.command is not None:
        typer.echo(f"It belongs to an application, not to a user: GEM may refuse it. {credentials.remedy}", err=True)


def until(token: "Token", now: datetime) -> str:
    """How long a token is valid, in words."""
    if token.expires_at is None:
        return "which does not say when it expires: gemwatch uses it until the API refuses it"
    there = token.expires_at.astimezone()
    until = f"{moment(there, now, there.tzinfo or UTC)} {zone_name(there, there.tzinfo or UTC)}"
    return f"valid until {until} (for {span(token.expires_at - now)})"
