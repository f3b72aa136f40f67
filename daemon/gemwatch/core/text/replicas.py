"""The daemons that share a store, in words."""

from collections import Counter
from collections.abc import Sequence

from gemwatch.core.health import Login
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.text.formatting import counted


def named(replicas: Sequence[Replica]) -> tuple[str, ...]:
    """What each is called: its host, with the process where a host has several."""
    on_host = Counter(one.host for one in replicas)
    return tuple(one.host if on_host[one.host] == 1 else f"{one.host} (process {one.pid})" for one in replicas)


def described(replicas: Sequence[Replica]) -> tuple[str, ...]:
    """Each with its part, and with what is not as it should be."""
    return tuple(", ".join([name, *_remarks(one)]) for name, one in zip(named(replicas), replicas, strict=True))


def leader_of(replicas: Sequence[Replica]) -> str | None:
    """What the leader is called; None while there is none."""
    return next((name for name, one in zip(named(replicas), replicas, strict=True) if one.leader), None)


def part_of(replicas: Sequence[Replica], own_id: str) -> str:
    """What the replica with this id does among the others."""
    leader = next((one for one in replicas if one.leader), None)
    if leader is not None and leader.id == own_id:
        return f"leader of {counted(len(replicas), 'replica', 'replicas')}"
    return f"follower, {leader_of(replicas) or 'no replica'} leads"


def _remarks(one: Replica) -> list[str]:
    remarks = ["leader"] if one.leader else []
    return [*remarks, "login refused"] if one.login is Login.REFUSED else remarks
