"""Which host names the server answers to.

Another site can make its own name point at this machine and so read these pages (DNS rebinding). It cannot make a
browser send a name other than its own.
"""

import socket

from gemwatch.core.settings import WebSettings
from gemwatch.web.http.addresses import ip_of

NOT_OURS = (
    "gemwatch does not answer to this name. If it is right, add it to web.hosts in the configuration and restart"
)


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
