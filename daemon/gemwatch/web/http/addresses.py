"""Addresses of clients, and the names and addresses that the server answers to.

Another site can make its own name point at this machine and so read these pages (DNS rebinding). It cannot make a
browser send a name other than its own.
"""

import ipaddress
import socket
from collections.abc import Collection

from gemwatch.core.settings import WebSettings

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LONGEST = 64
NOT_OURS = (
    "gemwatch does not answer to this name. If it is right, add it to web.hosts in the configuration and restart"
)


def ip_of(text: str) -> Ip | None:
    """The address; an IPv4 address that is mapped to IPv6 becomes IPv4. None if the text is not an address."""
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    return ip.ipv4_mapped or ip if ip.version == 6 else ip  # noqa: PLR2004


def client_of(address: str) -> str:
    """What one client has to itself: an IPv4 address, or the first 64 bits of an IPv6 one."""
    ip = ip_of(address)
    if ip is None:
        return address[:_LONGEST]
    return str(ip) if ip.version == 4 else str(ipaddress.ip_network((ip, 64), strict=False))  # noqa: PLR2004


def is_within(address: str, networks: Collection[Network]) -> bool:
    ip = ip_of(address)
    return ip is not None and any(ip in network for network in networks)


class Hosts:
    """Loopback, the address in `web.listen`, and the names in `web.hosts`, that of `web.public_url` among them.

    A server that listens on every address answers to each of them, since nobody can register an address, and to
    the machine's own name.
    """

    def __init__(self, web: WebSettings) -> None:
        listening = ip_of(web.host or "")
        self._everywhere = listening is not None and listening.is_unspecified
        self._names = {name.lower().rstrip(".") for name in ("localhost", web.host or "", *web.hosts)}
        if self._everywhere:
            self._names.add(socket.gethostname().lower())

    def include(self, header: str | None) -> bool:
        """Whether this is the `Host` of a request to us."""
        name = host_of(header or "")
        if name is None:
            return False
        ip = ip_of(name)
        if ip is not None and (ip.is_loopback or self._everywhere):
            return True
        return name in self._names or (ip is not None and any(ip_of(known) == ip for known in self._names))


def host_of(header: str) -> str | None:
    """The name or address in a `Host` header or an origin's authority, in lower case; None if it has none."""
    if header.startswith("["):
        name, bracket, rest = header[1:].partition("]")
        if not bracket or ip_of(name) is None:
            return None
    else:
        name, colon, port = header.partition(":")
        rest = colon + port
    port_is_sound = not rest or (
        rest.startswith(":") and (not rest[1:] or (rest[1:].isascii() and rest[1:].isdigit()))
    )
    return name.lower().rstrip(".") or None if port_is_sound else None
