"""httpx's transport on aiohttp, without the work that is the same for every request."""

import ssl
from collections.abc import AsyncIterator

import httpx
from aiohttp import ClientResponse, ClientSession, ClientTimeout
from httpx_aiohttp import AiohttpTransport
from yarl import URL

TARGET, _HEADERS = "URL for aiohttp", "headers for aiohttp"  # where a request keeps them
_UNLIMITED = ClientTimeout()  # the caller limits the whole request


class Transport(AiohttpTransport):
    """Sends requests without a body, which may be used again one after the other.

    A request's headers are converted once in its life, its URL is the one in `TARGET`, and aiohttp's errors are not
    wrapped: together this is a third of the cost of a request.
    """

    def __init__(self, session: ClientSession, trust: ssl.SSLContext) -> None:
        super().__init__(verify=trust, client=session)  # without `verify` it would read the CA certificates again
        self._session = session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers: dict[str, str] | None = request.extensions.get(_HEADERS)
        url: URL | str = request.extensions[TARGET]
        if headers is None:
            headers = request.extensions[_HEADERS] = dict(request.headers.items())
            headers.pop("host", None)  # of the first URL; aiohttp sends that of each
        answer = await self._session.request(
            request.method,
            url,
            headers=headers,
            allow_redirects=False,
            auto_decompress=False,
            timeout=_UNLIMITED,
        )
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=Stream(answer))


class Stream(httpx.AsyncByteStream):
    """The body of an answer, and its headers in a form that is fast to search."""

    def __init__(self, answer: ClientResponse) -> None:
        self._answer = answer
        self.headers = answer.headers

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._answer.content.iter_any()

    async def aclose(self) -> None:
        """Give the connection back, or close it if the answer was not read to its end."""
        self._answer.release()
