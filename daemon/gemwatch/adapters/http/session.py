"""The layer below httpx: aiohttp's connections, name lookups and proxies, and the meaning of their errors."""

import asyncio
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import HttpProcessingError

_KEEP_ALIVE = 75.0  # seconds: jobs are usually polled every minute, and each poll should find an open connection
# Gateways and proxies add headers, and policies can be long: more than aiohttp's default.
_LONGEST_LINE = 32 << 10  # bytes of one header
_MOST_HEADERS = 500
_PRIVATE_CA = {18, 19, 20, 21}  # OpenSSL's codes for an unknown issuer


class NoAnswerError(Exception):
    """There is no usable answer. The message is safe to show. `bad`: there is an answer, but it is invalid."""

    def __init__(self, reason: str, *, bad: bool = False) -> None:
        super().__init__(reason)
        self.bad = bad


def open_session(base_url: str, connections: int, trust: ssl.SSLContext) -> aiohttp.ClientSession:
    """A session for requests to `base_url` with at most this many connections and without cookies.

    Raises NoAnswerError if the environment names a proxy that cannot be used.
    """
    proxy = proxy_for(base_url)
    connector = aiohttp.TCPConnector(
        limit=connections, keepalive_timeout=_KEEP_ALIVE, ssl=trust, resolver=_OwnThreadResolver()
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
        max_line_size=_LONGEST_LINE,
        max_field_size=_LONGEST_LINE,
        max_headers=_MOST_HEADERS,
    )


def proxy_for(base_url: str) -> str | None:
    """The proxy from HTTPS_PROXY, HTTP_PROXY or ALL_PROXY, unless NO_PROXY exempts this host.

    aiohttp can read these variables, but does so for each request, together with ~/.netrc, in the loop's default
    executor. Requests to this machine never use a proxy: on the proxy, localhost is another machine.
    """
    address = urlsplit(base_url)
    host, proxies = address.hostname or "", getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or _is_here(host) or _is_exempt(base_url):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = proxy.partition("://")[0].lower()
    if scheme not in ("http", "https"):
        raise NoAnswerError(
            f"the environment names a {scheme}:// proxy, and only http:// and https:// ones can be used"
        )
    return proxy


def _is_exempt(url: str) -> bool:
    """Whether NO_PROXY exempts this URL. Notifications use the same rule, which includes networks."""
    from requests.utils import should_bypass_proxies  # noqa: PLC0415 (slow to import, and most hosts have no proxy)

    return should_bypass_proxies(url, None)


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


class _OwnThreadResolver(AbstractResolver):
    """Resolves each name in its own daemon thread.

    getaddrinfo cannot be cancelled. In the loop's default executor, a hanging name server would occupy all threads
    and delay the program's exit. aiohttp sends one lookup at a time for a name, so there is one thread per host.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        lookup: Future[list[ResolveResult]] = Future()
        lookup.set_running_or_notify_cancel()  # from here on it cannot be cancelled while the thread uses it
        threading.Thread(target=_look_up, args=(lookup, host, port, family), name="names", daemon=True).start()
        return await asyncio.wrap_future(lookup)

    async def close(self) -> None:
        pass


def _look_up(lookup: "Future[list[ResolveResult]]", host: str, port: int, family: socket.AddressFamily) -> None:
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    except OSError as error:
        lookup.set_exception(error)
    except UnicodeError:
        lookup.set_exception(socket.gaierror(socket.EAI_NONAME, "not a host name"))
    else:
        numeric = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
        lookup.set_result(
            [
                ResolveResult(
                    hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=numeric
                )
                for kind, _, protocol, _, address in found
            ]
        )


def fault(error: Exception) -> tuple[str, bool]:
    """Why there is no usable answer, in words that users can act on, and whether there was an invalid one.

    The text contains only our own words, numbers, host names from the configuration and the system's error texts,
    so it cannot leak a header. It does not use httpx's names for these errors, because httpx's aiohttp transport
    reports a reset connection as a connect timeout.
    """
    cause = error.__cause__ if isinstance(error.__cause__, aiohttp.ClientError) else error
    match cause:
        case NoAnswerError():
            return str(cause), cause.bad
        case aiohttp.ClientConnectorError():
            reason = _no_connection(cause)
        case aiohttp.ClientHttpProxyError():
            reason = f"the proxy refused the connection with HTTP {cause.status}"
        case aiohttp.ClientResponseError() | HttpProcessingError():
            return _not_understood(cause), True
        case aiohttp.ClientPayloadError():
            reason = "the connection broke in the middle of the answer"
        case aiohttp.ServerDisconnectedError():
            reason = "the server closed the connection without an answer"
        case OSError():
            reason = os_reason(cause)
        case _:
            reason = f"no request could be sent ({type(cause).__name__}): check api.base_url and the proxy settings"
    return reason, False


def _not_understood(error: aiohttp.ClientResponseError | HttpProcessingError) -> str:
    """Which of our limits the header of the answer exceeds, or that the answer is not HTTP."""
    said = error.message
    if "bytes when reading" in said:
        return f"a header of the answer is longer than {_LONGEST_LINE >> 10} KiB"
    if "Too many headers" in said:
        return f"the answer has more than {_MOST_HEADERS} headers"
    return "the answer is not HTTP"


def _no_connection(error: aiohttp.ClientConnectorError) -> str:
    place = f"{error.host}:{error.port}"
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _untrusted(error.certificate_error)
        case aiohttp.ClientConnectorSSLError():
            return f"no TLS connection to {place}: {os_reason(error.os_error)}"
        case aiohttp.ClientConnectorDNSError():
            return f"the name {error.host} cannot be resolved: {error.strerror}"
        case aiohttp.ClientProxyConnectionError():
            return f"no connection to the proxy {place}: {os_reason(error)}"
    return f"no connection to {place}: {os_reason(error)}"


def _untrusted(error: Exception) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return "certificate verify failed"
    hint = ": SSL_CERT_FILE can name the CA to trust" if error.verify_code in _PRIVATE_CA else ""
    return f"certificate verify failed: {error.verify_message.rstrip('.')}{hint}"


def os_reason(error: OSError) -> str:
    """The system's text for an error, without the addresses and source lines that exceptions add."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "handshake failed").replace("_", " ").lower()
    if error.errno is None:
        return "none of its addresses can be reached"  # each of several addresses failed differently
    return os.strerror(error.errno).lower()
