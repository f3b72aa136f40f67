"""Wrong web tokens: how many an address may send, and when they are reported."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from gemwatch.core.clock import Clock
from gemwatch.web.http.addresses import client_of

TRIES, EVERY = 10, 6.0  # wrong tokens that an address has at first, and seconds until it gets one more
KNOWN_FOR = timedelta(days=1).total_seconds()
REPORT_EVERY = 60.0  # seconds between two reports of the same address
MOST = 1000  # addresses remembered, of each kind

T = TypeVar("T")
OnWrong = Callable[[str, bool], None]


class Guesses:
    """How many more wrong tokens an address may send.

    A client must not lock out others who share its address: from where the right token came within a day, it is
    accepted whatever else comes from there. Sessions are not affected at all. What is left to guess from such an
    address is a token that the configuration has found to be strong.
    """

    def __init__(self, clock: Clock, on_wrong: OnWrong = lambda _address, _report: None) -> None:
        """`on_wrong` gets the address, and whether it is time to report it: once a minute at most."""
        self._clock = clock
        self._on_wrong = on_wrong
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, and when that was counted
        self._known: OrderedDict[str, float] = OrderedDict()  # when the right token came
        self._reported: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """How many addresses with wrong tokens are remembered."""
        return len(self._spent)

    def wait(self, address: str) -> float:
        """Seconds until a token from this address is checked; 0 if it is checked now."""
        return max(0.0, (self._count(client_of(address)) - (TRIES - 1)) * EVERY)

    def knows(self, address: str) -> bool:
        """Whether the right token came from this address recently."""
        at = self._known.get(client_of(address))
        return at is not None and self._clock.monotonic() - at < KNOWN_FOR

    def right(self, address: str) -> None:
        _put(self._known, client_of(address), self._clock.monotonic())

    def wrong(self, address: str) -> None:
        client = client_of(address)
        _put(self._spent, client, (self._count(client) + 1, self._clock.monotonic()))
        self.refused(address)

    def refused(self, address: str) -> None:
        """A token was not checked, because too many wrong ones came from this address."""
        client, now = client_of(address), self._clock.monotonic()
        last = self._reported.get(client)
        due = last is None or now - last >= REPORT_EVERY
        if due:
            _put(self._reported, client, now)
        self._on_wrong(client, due)

    def _count(self, client: str) -> float:
        spent, at = self._spent.get(client, (0.0, 0.0))
        return max(0.0, spent - (self._clock.monotonic() - at) / EVERY)


def _put(kept: OrderedDict[str, T], key: str, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MOST:
        kept.popitem(last=False)
