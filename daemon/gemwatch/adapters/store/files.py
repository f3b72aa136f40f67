"""The store's files: their paths, permissions and file system."""

import errno
import os
import pwd
import stat
from pathlib import Path

import sqlalchemy as sa

PRIVATE = 0o600
MOUNTS = Path("/proc/self/mountinfo")  # the kernel's list of what is mounted where
SIDE_FILES = ("-wal", "-shm", ".lock")  # the files next to a store that belong to it
_REMOTE = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "beegfs",
        "gpfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.ceph-fuse",
        "fuse.gcsfuse",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
    }
)


class StoreError(Exception):
    """The store cannot be used. The message says why and what to do, and is safe to show."""


def sqlalchemy_url(path: Path) -> sa.URL:
    """The URL with which SQLAlchemy opens the file, for any characters in the path."""
    return sa.URL.create("sqlite", database=str(path.absolute()))


def exists(path: Path) -> bool:
    """Whether the file exists. Raises StoreError if this user has no permission to find out."""
    try:
        path.stat()
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return False
        raise StoreError(cannot_use(path, error)) from None
    return True


def make_private(path: Path) -> None:
    """Create an empty file that only its owner can use. If root creates it, the folder's owner owns it."""
    os.close(open_private(path, os.O_RDWR))


def open_private(path: Path, flags: int) -> int:
    """Open a file, or create it only for its owner, regardless of the umask. Refuses a symbolic link."""
    try:
        handle = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE)
    except FileExistsError:
        handle = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW)
        _close_to_others(handle)
        return handle
    os.fchmod(handle, PRIVATE)  # a default ACL of the folder may have added permissions
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(handle, folder.st_uid, folder.st_gid)
    return handle


def prepare(path: Path) -> None:
    """At the start of a writer: create a missing file, and check that it and its side files can be used.

    Removes empty side files that another user left behind. Raises StoreError for other problems.
    """
    real = Path(os.path.realpath(path))
    try:
        if exists(real):
            _require_access(real)
            handle = os.open(real, os.O_RDONLY | os.O_CLOEXEC)
            _close_to_others(handle)
            os.close(handle)
        else:
            make_private(real)
        wal, shm = (Path(f"{real}{end}") for end in ("-wal", "-shm"))
        if any(_is_closed(file) for file in (wal, shm)) and not _size(wal):
            for file in (shm, wal):
                file.unlink(missing_ok=True)
        for file in (wal, shm):
            if file.exists():
                _require_access(file)
    except OSError as error:
        raise StoreError(cannot_use(real, error)) from None


def cannot_use(path: Path, error: OSError) -> str:
    """A sentence with the file or folder that causes the error, its owner and its mode."""
    reason = (error.strerror or "unknown error").lower()
    place = path
    while error.errno in (errno.EACCES, errno.EPERM) and place != place.parent:
        try:
            found = place.stat()
        except OSError:
            place = place.parent
            continue
        owner, me = user_name(found.st_uid), user_name(os.geteuid())
        return (
            f"{path} cannot be used: {reason}. {place} belongs to user {owner} with mode "
            f"{stat.S_IMODE(found.st_mode):04o}, and this is user {me}. Run this as {owner}, or change the owner: "
            f"chown {me} {place}"
        )
    return f"{path} cannot be used: {reason}"


def user_name(number: int) -> str:
    """The name of a user, or the number of one that the system does not know."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def remote_filesystem(path: Path, mounts: Path = MOUNTS) -> str | None:
    """The kind of network file system of the path, such as `nfs4`; None for a local one.

    SQLite's locks and shared memory do not work there.
    """
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return None
    real, longest, kind = os.path.realpath(path), -1, ""
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) > 4 and after:  # noqa: PLR2004 (the mount point is the fifth field: proc(5))
            point = fields[4].encode().decode("unicode_escape").encode("latin-1").decode(errors="replace")
            inside = real == point or real.startswith(f"{point.rstrip('/')}/")
            if inside and len(point) >= longest:
                longest, kind = len(point), after.split()[0]
    return kind if kind in _REMOTE else None


def _require_access(file: Path) -> None:
    if _is_closed(file):
        raise StoreError(cannot_use(file, PermissionError(errno.EACCES, os.strerror(errno.EACCES))))


def _is_closed(file: Path) -> bool:
    return file.exists() and not os.access(file, os.R_OK | os.W_OK, effective_ids=True)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


def _close_to_others(handle: int) -> None:
    """Remove read permission for other users, which earlier versions gave. Permissions of a group stay."""
    found = os.fstat(handle)
    if found.st_uid == os.geteuid() and found.st_mode & stat.S_IRWXO:
        os.fchmod(handle, stat.S_IMODE(found.st_mode) & ~stat.S_IRWXO)
