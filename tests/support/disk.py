"""Failures of the disk under a store: locked by another process, full, read-only."""

import contextlib
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def held(store: Path) -> Iterator[None]:
    """This process holds the write lock: every other writer has to wait."""
    with contextlib.closing(sqlite3.connect(store, timeout=30, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextlib.contextmanager
def held_elsewhere(store: Path) -> Iterator[None]:
    """Another process holds the store for itself alone until the block ends."""
    script = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)\n"
        "connection.execute('BEGIN EXCLUSIVE')\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", script, str(store)], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            other.communicate()


@contextlib.contextmanager
def unwritable(store: Path, process: int) -> Iterator[None]:
    """Whatever this process adds to the store's log fails, as on a disk that turned read-only under open files.

    It is a limit for the length of each of its files; those that are shorter than the store's log may still grow.
    """
    before = resource.prlimit(process, resource.RLIMIT_FSIZE)
    size = Path(f"{store}-wal").stat().st_size
    resource.prlimit(process, resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.prlimit(process, resource.RLIMIT_FSIZE, before)


@contextlib.contextmanager
def immutable(store: Path) -> Iterator[None]:
    """No process can write to the store's files, even if it has them open; skipped where that is impossible."""
    files = [str(store), f"{store}-wal"]
    done = subprocess.run(["chattr", "+i", *files], capture_output=True, text=True, check=False)
    try:
        if done.returncode:
            pytest.skip(f"needs chattr +i, as root and on a file system that knows it: {done.stderr.strip()}")
        yield
    finally:
        subprocess.run(["chattr", "-i", *files], capture_output=True, check=False)


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[Path]:
    """A mount of its own for the length of the block; the test is skipped where that is not allowed."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *options, str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a mount of its own, as root: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes what is left of the disk."""
    filler = folder / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler
