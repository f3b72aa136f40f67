"""Reads the values of the `web` section: addresses, tokens, host names and networks."""

import ipaddress
import re
from itertools import pairwise
from typing import Any

from gemwatch.adapters.config.bad_value import BadValueError
from gemwatch.adapters.config.values import header_text, not_an_example, text
from gemwatch.core.settings import WebSettings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_MAKE_ONE = "make one with: openssl rand -hex 24"
_SHORTEST_TOKEN = 16  # characters
_FEWEST_CHARACTERS = 6  # distinct ones; a random token has more
_WORDS = re.compile(
    r"gemwatch|tomtom|passwor[dt]|secret|token|admin|change|letmein|welcome|qwert[yz]|test|web", re.IGNORECASE
)


def listen(value: Any) -> WebSettings:
    if value == "off":
        return WebSettings(host=None)
    parts = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if parts is None or int(parts["port"]) > 65_535:  # noqa: PLR2004 (the largest port)
        raise BadValueError("is not an address to listen on; write HOST:PORT, [IPv6]:PORT or off", value)
    if parts["six"]:
        try:
            ipaddress.IPv6Address(parts["six"])
        except ValueError:
            raise BadValueError("is not an IPv6 address and a port; write [::1]:PORT", value) from None
    return WebSettings(host=parts["six"] or parts["host"], port=int(parts["port"]))


def is_reachable(value: Any) -> bool:
    """Whether other machines can reach a server that listens there. False if the value is not an address."""
    try:
        host = listen(value).host
        return host is not None and host.lower() != "localhost" and not ipaddress.ip_address(host).is_loopback
    except BadValueError:
        return False
    except ValueError:
        return True  # a host name: its address is unknown here


def web_token(value: Any) -> str:
    token = not_an_example(header_text(value))
    if len(token) < _SHORTEST_TOKEN:
        raise BadValueError(f"is shorter than {_SHORTEST_TOKEN} characters and could be guessed; {_MAKE_ONE}")
    if _is_weak(token):
        raise BadValueError(f"is easy to guess; {_MAKE_ONE}")
    return token


def _is_weak(token: str) -> bool:
    """Few distinct characters, sequences such as 1234 or aaaa, or mostly common words."""
    steps = [abs(ord(after) - ord(before)) <= 1 for before, after in pairwise(token)]
    rows = 3 * sum(steps) > 2 * len(steps)
    return rows or len(set(token)) < _FEWEST_CHARACTERS or 2 * len(_WORDS.sub("", token)) < len(token)


def host_name(value: Any) -> str:
    """A host name or address as in a `Host` header, without the port."""
    name = text(value).removeprefix("[").removesuffix("]")
    if _HOST_NAME.fullmatch(name):
        return name
    try:
        return str(ipaddress.IPv6Address(name))
    except ValueError:
        what = "is not a host name; write it without scheme and port, such as gemwatch.example.com"
        raise BadValueError(what) from None


def network(value: Any) -> Network:
    """A network such as 10.0.0.0/8, or a single address."""
    address = text(value)
    try:
        return ipaddress.ip_network(address)
    except ValueError as error:
        wanted = (
            "write its first address" if "host bits" in str(error) else "write 10.0.0.0/8, fd00::/8 or one address"
        )
        raise BadValueError(f"is not a network; {wanted}", value) from None
