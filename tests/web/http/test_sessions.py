"""Session cookies, and the limit on wrong tokens."""

import hashlib
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from gemwatch.web.http.guesses import Guesses
from gemwatch.web.http.sessions import Sessions
from support.clock import START, FakeClock

TOKEN = "a-token-for-the-web-9f31"


@pytest.fixture
def sessions(clock: FakeClock) -> Sessions:
    return Sessions(token=TOKEN, clock=clock)


def test_session_lasts_until_the_token_changes(sessions: Sessions, clock: FakeClock) -> None:
    cookie = sessions.begin()
    assert TOKEN not in cookie
    assert sessions.digest_of(cookie)
    assert Sessions(token=TOKEN, clock=clock).digest_of(cookie) == sessions.digest_of(cookie)
    assert Sessions(token=f"{TOKEN}x", clock=clock).digest_of(cookie) is None


def test_sessions_differ(sessions: Sessions) -> None:
    assert sessions.digest_of(sessions.begin()) != sessions.digest_of(sessions.begin())


@given(at=st.integers(min_value=0), put=st.characters())
@example(at=57, put="a")  # in base64 four endings mean the same bytes
@example(at=16, put="/")
def test_session_does_not_survive_a_changed_cookie(at: int, put: str) -> None:
    sessions = Sessions(token=TOKEN, clock=FakeClock())
    cookie = sessions.begin()
    at %= len(cookie)
    changed = cookie[:at] + put + cookie[at + 1 :]
    name = sessions.digest_of(changed)
    assert name in (None, sessions.digest_of(cookie))  # never another one, which a logout would not have ended


@given(st.text(max_size=100))
def test_session_is_never_arbitrary_text(text: str) -> None:
    assert Sessions(token=TOKEN, clock=FakeClock()).digest_of(text) is None


class _Then(TimestampSigner):
    stamp = int(START.timestamp())

    def get_timestamp(self) -> int:
        return self.stamp


@pytest.mark.parametrize("value", [None, 7, -1, 1e300, [], {}, {"a": 1}, True, 10**30])
@pytest.mark.parametrize("stamp", [int(START.timestamp()), 0, 2**40, 2**62])
def test_session_over_odd_values_is_refused(sessions: Sessions, value: Any, stamp: int) -> None:
    """Signed with the right key, as by another program that shares the token."""
    signer = type("Signer", (_Then,), {"stamp": stamp})
    signed = URLSafeTimedSerializer(
        TOKEN,
        salt="gemwatch session",
        signer=signer,
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    ).dumps(value)
    assert sessions.digest_of(str(signed)) is None


def test_guesses_refill_one_by_one(clock: FakeClock) -> None:
    guesses = Guesses(clock)
    for _ in range(10):
        assert guesses.wait("192.0.2.1") == 0
        guesses.wrong("192.0.2.1")
    assert guesses.wait("192.0.2.1") == 6
    assert guesses.wait("192.0.2.2") == 0
    clock.advance(6)
    assert guesses.wait("192.0.2.1") == 0
    guesses.wrong("192.0.2.1")
    assert guesses.wait("192.0.2.1") == 6
    clock.advance(60)
    assert guesses.wait("192.0.2.1") == 0


def test_guesses_are_shared_by_an_ipv6_network(clock: FakeClock) -> None:
    guesses = Guesses(clock)
    for n in range(10):
        guesses.wrong(f"2001:db8::{n}")
    assert guesses.wait("2001:db8::ffff") > 0
    assert guesses.wait("2001:db8:0:1::1") == 0


def test_guesses_remember_a_bounded_number_of_addresses(clock: FakeClock) -> None:
    guesses = Guesses(clock)
    for n in range(5000):
        guesses.wrong(f"10.0.{n // 250}.{n % 250}")
    assert len(guesses) == 1000


def test_guesses_forget_a_known_address_after_a_day(clock: FakeClock) -> None:
    guesses = Guesses(clock)
    guesses.right("192.0.2.1")
    assert guesses.knows("192.0.2.1")
    assert not guesses.knows("192.0.2.2")
    clock.advance(24 * 3600)
    assert not guesses.knows("192.0.2.1")
