"""The daemons that share a store, in words."""

from datetime import UTC, datetime

import pytest

from gemwatch.core.health import Login
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.text.replicas import described, leader_of, named, part_of

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def replica(number: int, host: str, *, leader: bool = False, login: Login = Login.OK) -> Replica:
    return Replica(
        id=str(number), host=host, pid=number, version="1", started_at=AT, seen_at=AT, leader=leader, login=login
    )


def test_replicas_are_called_by_host_and_process_if_needed() -> None:
    assert named([replica(1, "a"), replica(2, "b")]) == ("a", "b")
    assert named([replica(1, "a"), replica(2, "a"), replica(3, "b")]) == ("a (process 1)", "a (process 2)", "b")


def test_description_names_leader_and_refused_login() -> None:
    replicas = [replica(1, "a", leader=True, login=Login.REFUSED), replica(2, "b"), replica(3, "c")]
    assert described(replicas) == ("a, leader, login refused", "b", "c")
    assert leader_of(replicas) == "a"
    assert leader_of(replicas[1:]) is None


@pytest.mark.parametrize(
    ("own_id", "leads", "words"),
    [
        ("1", True, "leader of 2 replicas"),
        ("2", True, "follower, a leads"),
        ("2", False, "follower, no replica leads"),
    ],
)
def test_part_of_a_replica_names_the_leader(own_id: str, leads: bool, words: str) -> None:  # noqa: FBT001 (a case)
    assert part_of([replica(1, "a", leader=leads), replica(2, "b")], own_id) == words
