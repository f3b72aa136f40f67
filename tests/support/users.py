"""Acting as a user without privileges, for what root may do and others may not."""

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

NOBODY = 65534


@contextlib.contextmanager
def acting_as(user: int) -> Iterator[None]:
    """Makes this process another user's in all that concerns files. Only root can."""
    os.setresgid(user, user, 0)
    os.setresuid(user, user, 0)  # the real one too, which access(2) asks for
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
        os.setresgid(0, 0, 0)


@contextlib.contextmanager
def unprivileged(folder: Path) -> Iterator[None]:
    """The file access of an ordinary user, who can reach this folder of a test: root's is given up, others' stays."""
    if os.geteuid() != 0:
        yield
        return
    reachable(folder)
    with acting_as(NOBODY):
        yield


def reachable(folder: Path) -> None:
    """Lets every user enter a folder of a test; pytest's own are closed to them."""
    for one in (folder, *folder.parents[:3]):
        one.chmod(one.stat().st_mode | 0o055)


def become(name: str) -> None:
    """Turns this process into another user's, for good. Only root can."""
    user = pwd.getpwnam(name)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
