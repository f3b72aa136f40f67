"""What time the API's server has, from the Date header of any answer that it gives."""

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from gemwatch.adapters.http.session import NoAnswerError, fault, open_session
from gemwatch.core.clock import Clock
from gemwatch.core.settings import ApiSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTime:
    """`ahead` is how far the clock here is ahead of the server's, to a second or so; None: it told no time."""

    ahead: timedelta | None


async def server_time(settings: ApiSettings, clock: Clock) -> ServerTime | str:
    """Send one request without key or token, and read no more of the answer than its Date; or why there is none.

    The certificate is not looked at: where the clock is far off every certificate seems to have ended, and that is
    just what is to be found out. Nothing secret is sent, and nothing but a time is believed.
    """
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    try:
        async with (
            asyncio.timeout(settings.timeout.total_seconds()),
            open_session(settings.base_url, 1, trust) as session,
        ):
            before = clock.now()
            async with session.get(settings.base_url, allow_redirects=False) as answer:
                here = before + (clock.now() - before) / 2
                return ServerTime(ahead=_ahead(here, answer.headers.get("Date", "")))
    except TimeoutError:
        return f"no answer within {settings.timeout.total_seconds():g} s"
    except (NoAnswerError, aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
        return fault(error)[0]


def _ahead(here: datetime, date: str) -> timedelta | None:
    try:
        there = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return here - (there if there.tzinfo else there.replace(tzinfo=UTC))
