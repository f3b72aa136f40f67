"""The URLs of daemons that a token may be sent to: https, or plain http on this machine."""

from ipaddress import ip_address

import httpx

from gemwatch.client.errors import AddressError

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
