"""Addresses of clients: what one client has to itself, and which are inside a network."""

import ipaddress
from collections.abc import Collection

Ip = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_LONGEST = 64


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
