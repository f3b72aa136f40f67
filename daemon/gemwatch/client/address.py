"""The URL of a daemon, and where the token for it comes from: the environment or a file, never an argument that
`ps` shows.

A token may be sent to https, or to plain http on this machine.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

import httpx

from gemwatch.client.errors import AddressError, TokenError

TOKEN_VARIABLE = "GEMWATCH_WEB_TOKEN"  # noqa: S105 (a name)
_EXAMPLE = "write https://HOST, with the path of web.public_url if it has one"


def address_of(url: str) -> httpx.URL:
    """The URL without a trailing slash. Raises AddressError for others than the above."""
    try:
        address = httpx.URL(url.strip())
    except httpx.InvalidURL:
        raise AddressError(f"this is not a URL: {_EXAMPLE}") from None
    if address.scheme not in ("http", "https") or not address.host:
        raise AddressError(f"this is not an https URL: {_EXAMPLE}")
    if address.userinfo:
        raise AddressError("the URL holds a password, which others on this machine can see: remove it")
    if address.query or address.fragment:
        raise AddressError(f"the URL has a query or a fragment: {_EXAMPLE}")
    if address.scheme == "http" and not is_loopback(address):
        raise AddressError(f"http is only for this machine, because it sends the token unencrypted: {_EXAMPLE}")
    return address.copy_with(path=address.path.rstrip("/"))


def is_loopback(address: httpx.URL) -> bool:
    try:
        return address.host == "localhost" or ip_address(address.host).is_loopback
    except ValueError:
        return False


def read_token(environ: Mapping[str, str], file: Path | None = None) -> str | None:
    """The token in the file, else in `GEMWATCH_WEB_TOKEN`; None if there is none.

    Raises TokenError if the file cannot be read, or if what it contains cannot be a token.
    """
    if file is None:
        place, token = TOKEN_VARIABLE, environ.get(TOKEN_VARIABLE, "").strip()
        if not token:
            return None
    else:
        place = str(file)
        try:
            token = file.read_text(encoding="ascii").strip()
        except OSError as error:
            raise TokenError(f"{place}: the token cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            token = ""
    if not token or not all("!" <= character <= "~" for character in token):
        raise TokenError(f"{place}: this is not a token: it must be one word of ASCII characters")
    return token
