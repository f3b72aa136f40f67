"""Which names the server answers to.

A page elsewhere can have its own name point at this machine and so read what is served here (DNS rebinding). What
it cannot do is to make a browser send another name than its own.
"""

import ipaddress
import socket

from gemwatch.core.settings import WebSettings

NOT_OURS = (
    "gemwatch is not known by this name. If it is right, name it under web.hosts in the configuration and restart"
)

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class Hosts:
    """Loopback, the address that is listened on, and the names in `web.hosts`. Who listens on every address answers
    to each of them, since an address is nobody's name, and to the machine's own name."""

    def __init__(self, web: WebSettings) -> None:
        listening = _ip(web.host or "")
        self._everywhere = listening is not None and listening.is_unspecified
        self._names = {name.lower().rstrip(".") for name in ("localhost", web.host or "", *web.hosts)}
        if self._everywhere:
            self._names.add(socket.gethostname().lower())

    def include(self, header: str | None) -> bool:
        """Whether this is the `Host` of a request to us."""
        name = host_of(header or "")
        if name is None:
            return False
        ip = _ip(name)
        if ip is not None and (ip.is_loopback or self._everywhere):
            return True
        return name in self._names or (ip is not None and any(_ip(known) == ip for known in self._names))


def host_of(header: str) -> str | None:
    """The name or address in a `Host` header or an origin's authority, in lower case; None where there is none."""
    if header.startswith("["):
        name, bracket, rest = header[1:].partition("]")
        if not bracket or _ip(name) is None:
            return None
    else:
        name, colon, port = header.partition(":")
        rest = colon + port
    port_is_sound = not rest or (
        rest.startswith(":") and (not rest[1:] or (rest[1:].isascii() and rest[1:].isdigit()))
    )
    return name.lower().rstrip(".") or None if port_is_sound else None


def _ip(text: str) -> _Ip | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
