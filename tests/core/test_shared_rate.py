"""Replicas share one rate: their turns together are evenly spaced, and nobody sends before all know of it."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from gemwatch.core.health import Login
from gemwatch.core.sharing.polls import CHANGES_EVERY, share_of_polls
from gemwatch.core.sharing.rate import FIRST_REQUEST, Hold, Share, after_report, next_turn, share_of, wait_for
from gemwatch.core.sharing.replicas import FRESH_FOR, Replica
from support.clock import START


def at(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def member(name: str, *, started: float = -100, seen: float = -1) -> Replica:
    begun, seen_at = START + at(started), START + at(seen)
    return Replica(id=name, host="host", pid=1, version="1", started_at=begun, seen_at=seen_at)


def test_share_is_one_turn_for_each_replica() -> None:
    members = [member("b"), member("a"), member("c", started=-200)]
    places = {one.id: share_of(one.id, members, START) for one in members}
    assert places == {name: Share(parts=3, place=place) for place, name in enumerate("cab")}


@pytest.mark.parametrize(
    ("others", "share"),
    [
        ([], Share(parts=1, place=0)),
        ([member("old", seen=-2)], Share(parts=2, place=1)),
        ([member("old", seen=-4)], None),  # does not know of us yet, and sends as much as if it were alone
        ([member("old", seen=-2), member("older", seen=-9)], None),
        ([member("dead", seen=-FRESH_FOR)], Share(parts=1, place=0)),
        ([member("new", started=-1, seen=-1)], Share(parts=2, place=0)),  # counts before it sends anything
    ],
)
def test_share_begins_once_all_others_know(others: list[Replica], share: Share | None) -> None:
    assert share_of("me", [member("me", started=-3), *others], START) == share


def test_replica_with_a_refused_login_has_no_share_of_polls() -> None:
    both = [member("a"), replace(member("b"), login=Login.REFUSED)]
    assert share_of_polls("a", both, START) is None
    share = share_of_polls("a", [*both, member("c")], START)
    assert share is not None
    assert share.parts == 2


def test_shares_of_polls_change_in_turn() -> None:
    for later in range(0, 2 * CHANGES_EVERY, CHANGES_EVERY // 2):
        now = START + at(later)
        members = [member("a", seen=later), member("b", seen=later)]
        shares = [share_of_polls(name, members, now) for name in "ab"]
        turned = later // CHANGES_EVERY
        assert shares == [Share(parts=2, place=(place + turned) % 2) for place in range(2)]


def test_replica_without_a_row_has_no_share() -> None:
    assert share_of("me", [member("other")], START) is None


@pytest.mark.parametrize("rate", [0.5, 4, 100])
@pytest.mark.parametrize("parts", [2, 3])
def test_turns_of_all_replicas_are_evenly_spaced(rate: float, parts: int) -> None:
    turns = []
    for place in range(parts):
        turn = START.timestamp()
        for _ in range(50):
            turn = next_turn(Share(parts=parts, place=place), rate, turn)
            turns.append(turn)
            turn += 1 / rate
    gaps = [later - earlier for earlier, later in pairwise(sorted(turns))]
    assert gaps == pytest.approx([1 / rate] * (50 * parts - 1), abs=1e-5)


def test_next_turn_is_never_too_early() -> None:
    for place in range(3):
        for hundredth in range(400):
            earliest = START.timestamp() + hundredth / 100
            turn = next_turn(Share(parts=3, place=place), 4, earliest)
            assert earliest <= turn <= earliest + 3 / 4 + 1e-5


def test_others_wait_longer_than_the_replica_that_was_asked() -> None:
    hold = Hold(until=START + at(30), replica="a")
    assert wait_for(hold, "a", START) == at(0)
    assert wait_for(hold, "b", START) == at(30) + FIRST_REQUEST
    assert wait_for(hold, "b", START + at(3600)) == at(0)
    assert wait_for(None, "b", START) == at(0)


def test_longer_hold_counts_and_its_replica_ends_it() -> None:
    long, short = Hold(until=START + at(30), replica="a"), Hold(until=START + at(1), replica="b")
    assert after_report(None, short, START) == short
    assert after_report(long, short, START) == after_report(short, long, START) == long
    over = Hold(until=START, replica="b")
    assert after_report(long, over, START) == long
    assert after_report(short, over, START) is after_report(None, over, START) is None
