"""Whose a file is that this user may not read, and as whom to run the command instead."""

import grp
import os
import pwd
import shlex
import shutil
import stat
import sys
from pathlib import Path


def denied(file: Path, *, needed: int = os.R_OK) -> str | None:
    """A sentence and a command where this user may not use the file or look into its folder; else None.

    `needed` is a set of `os.R_OK` and `os.W_OK`. What does not exist is not denied.
    """
    absolute = Path(os.path.abspath(file))  # noqa: PTH100 (resolve would have to look into the closed folder)
    for place in (*reversed(absolute.parents), absolute):
        wanted = needed if place == absolute else os.X_OK
        if os.access(place, wanted, effective_ids=True):
            continue
        try:
            found = place.stat()
        except OSError:
            return None
        if place != absolute and not stat.S_ISDIR(found.st_mode):
            return None  # a file where a folder should be: not a matter of rights
        if found.st_uid == os.geteuid():
            bits = "rw" if wanted & os.W_OK else "r" if wanted & os.R_OK else "x"
            return (
                f"{place} is yours, but its mode {found.st_mode & 0o777:04o} does not let you {_verb(wanted)} it. "
                f"Run:\n  chmod u+{bits} {shlex.quote(str(place))}"
            )
        from gemwatch.adapters.store.files import user_name

        owner = _service_user(found)
        return (
            f"{place} belongs to user {owner}, and user {user_name(os.geteuid())} may not {_verb(wanted)} it. "
            f"Run the command as {owner}:\n  {command_as(owner)}"
        )
    return None


def become_owner(file: Path) -> None:
    """For root: become the owner of the file, or of the folder where it will be, and create private files only.

    The daemon could not use files that root creates, and the owner of the folder could make root write elsewhere.
    """
    os.umask(0o077)
    if os.geteuid() != 0:
        return
    place = next(place for place in (file, *file.absolute().parents) if place.exists()).stat()
    if place.st_uid:
        os.setgroups([])
        os.setegid(place.st_gid)
        os.seteuid(place.st_uid)


def command_as(user: str) -> str:
    """This command, to be run as another user."""
    return f"sudo -Hu {shlex.quote(user)} {program()} {shlex.join(sys.argv[1:])}"


def program() -> str:
    """How gemwatch is called here, in a form that can be copied into a shell."""
    called = Path(sys.argv[0])
    if called.name != "gemwatch":
        return f"{shlex.quote(sys.executable)} -m gemwatch"
    there = shutil.which("gemwatch")
    if there is not None and os.path.realpath(there) == os.path.realpath(called):
        return "gemwatch"
    return shlex.quote(str(called))


def _service_user(found: os.stat_result) -> str:
    """The owner. A file of root's whose group is a user's own, as a service's configuration, is for that user."""
    from gemwatch.adapters.store.files import user_name

    if found.st_uid == 0 and found.st_gid != 0:
        try:
            return pwd.getpwnam(grp.getgrgid(found.st_gid).gr_name).pw_name
        except KeyError:
            pass
    return user_name(found.st_uid)


def _verb(wanted: int) -> str:
    return "write" if wanted & os.W_OK else "read" if wanted & os.R_OK else "look into"
