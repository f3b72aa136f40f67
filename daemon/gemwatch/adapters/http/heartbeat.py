"""Calls a dead man's switch."""

import asyncio
from http import HTTPStatus

import aiohttp
import httpx
from aiohttp.http_exceptions import HttpProcessingError

from gemwatch import __version__
from gemwatch.adapters.http.session import NoAnswerError, fault, open_session, os_reason

LIMIT = 10.0  # seconds for all of it


async def call(url: str, limit: float = LIMIT) -> str | None:
    """GET this URL. Returns None if the call succeeded, else the reason, without the URL. Failures never raise.

    It does not follow redirects: the URL is a secret, and a redirect could send it to another host.
    """
    try:
        async with asyncio.timeout(limit):
            return _reason(await _status(url))
    except TimeoutError:
        return f"no answer within {limit:g} s"
    except ValueError:  # includes aiohttp's InvalidURL
        return "no request can be made of its URL"
    except (NoAnswerError, aiohttp.ClientError, HttpProcessingError, OSError) as error:
        return fault(error)[0]
    except Exception as error:  # a heartbeat must never end the daemon
        return f"no request could be sent ({type(error).__name__})"


async def _status(url: str) -> int:
    # A new session for each call: at one call a minute it costs little, and it notices a new address or CA file.
    try:
        trust = httpx.create_ssl_context()  # the same CAs as for the API
    except OSError as error:
        raise NoAnswerError(f"the CA certificates cannot be read: {os_reason(error)}") from None
    async with (
        open_session(url, 1, trust) as session,
        session.get(url, allow_redirects=False, headers={"User-Agent": f"gemwatch/{__version__}"}) as response,
    ):
        return response.status


def _reason(status: int) -> str | None:
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return None
    try:
        named = f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        named = f"HTTP {status}"
    if status < HTTPStatus.BAD_REQUEST:
        return f"{named}, a redirect, is not followed: write the URL that it leads to"
    return named
