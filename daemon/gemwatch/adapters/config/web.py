"""Values of the configuration's `web` section: who may look, and by which name."""

import ipaddress
import re
from typing import Any

from gemwatch.adapters.config.values import BadValue, header_text, listen, shown, text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_SHORTEST_TOKEN = 16  # characters


def reachable(value: Any) -> bool:
    """Whether other machines reach a server that listens there; not where that is no address."""
    try:
        host = listen(value).host
        return host is not None and host.lower() != "localhost" and not ipaddress.ip_address(host).is_loopback
    except BadValue:
        return False
    except ValueError:
        return True  # a name, of which only the network knows what it stands for


def web_token(value: Any) -> str:
    if len(header_text(value)) < _SHORTEST_TOKEN:
        few = f"is shorter than {_SHORTEST_TOKEN} characters and could be guessed"
        raise BadValue(f"{few}; make one with: openssl rand -hex 24")
    return str(value)


def host_name(value: Any) -> str:
    """A name or an address as it stands in a `Host` header, without a port."""
    name = text(value).removeprefix("[").removesuffix("]")
    if _HOST_NAME.fullmatch(name):
        return name
    try:
        return str(ipaddress.IPv6Address(name))
    except ValueError:
        raise BadValue("is no host name; write it without scheme and port, as gemwatch.example.com") from None


def network(value: Any) -> Network:
    """A network such as 10.0.0.0/8, or one address."""
    try:
        return ipaddress.ip_network(text(value))
    except ValueError as error:
        hint = "; write its first address" if "host bits" in str(error) else ""
        raise BadValue(
            f"{shown(value)} is not a network{hint or '; write 10.0.0.0/8, fd00::/8 or one address'}"
        ) from None
