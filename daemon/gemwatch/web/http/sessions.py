"""Who has shown the token: signed cookies, and a limit on wrong guesses."""

import hashlib
import ipaddress
from collections import OrderedDict
from datetime import UTC, datetime, timedelta

from itsdangerous import BadSignature, URLSafeSerializer

from gemwatch.core.clock import Clock

LASTS = timedelta(hours=12)
_TRIES, _EVERY = 10, 6.0  # wrong guesses that an address has at first, and seconds until it gets one more
_MOST = 1000  # addresses remembered


class Sessions:
    """Cookies that say until when somebody is logged in. They are signed with a key made from the web token, so that
    another token ends them all; nothing is stored."""

    def __init__(self, token: str, clock: Clock) -> None:
        self._clock = clock
        self._signed = URLSafeSerializer(
            token,
            salt="gemwatch session",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )

    def begin(self) -> str:
        """The cookie of somebody who logs in now."""
        return str(self._signed.dumps(int((self._clock.now() + LASTS).timestamp())))

    def holds(self, cookie: str) -> bool:
        """Whether a cookie is one of ours that has not expired."""
        try:
            until = self._signed.loads(cookie)
        except BadSignature:
            return False
        as_made = cookie == self._signed.dumps(until)  # what is read leniently could be written in several ways
        return as_made and self._clock.now() < datetime.fromtimestamp(until, tz=UTC)


class Guesses:
    """How many wrong tokens an address may still show. Who is behind one proxy shares them; cookies go on to work."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, and when that was counted

    def __len__(self) -> int:
        """How many addresses are remembered."""
        return len(self._spent)

    def wait(self, address: str) -> float:
        """Seconds until this address may try again; 0 when it may now."""
        return max(0.0, (self._count(address) - (_TRIES - 1)) * _EVERY)

    def wrong(self, address: str) -> None:
        spent = self._count(address) + 1
        self._spent[_network(address)] = (spent, self._clock.monotonic())
        self._spent.move_to_end(_network(address))
        while len(self._spent) > _MOST:
            self._spent.popitem(last=False)

    def _count(self, address: str) -> float:
        spent, at = self._spent.get(_network(address), (0.0, 0.0))
        return max(0.0, spent - (self._clock.monotonic() - at) / _EVERY)


def _network(address: str) -> str:
    """What one client has to itself: an IPv4 address, or the 64 bits in front of an IPv6 one."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    if ip.version == 4:  # noqa: PLR2004
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.ip_network((ip, 64), strict=False))
