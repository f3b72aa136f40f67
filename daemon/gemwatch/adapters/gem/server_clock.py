"""Reads the server's time from the Date header of an answer."""

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
    """`ahead`: how far the local clock is ahead of the server's, to about a second. None: no Date header."""

    ahead: timedelta | None


async def server_time(settings: ApiSettings, clock: Clock) -> ServerTime | str:
    """Send one request without key or token and read only its Date header. Returns the reason if it fails.

    It does not verify the certificate: if the local clock is far off, every certificate seems expired, and this
    check is there to find that out. The request contains no secret, and the answer is used only for its time.
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
