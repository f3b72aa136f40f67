"""Checks what was built."""

import hashlib
import tarfile
from collections.abc import Collection
from pathlib import Path

from release.steps import ReleaseError

MAN_PAGES = ("docs/man/gemwatch.1", "docs/man/gemwatch.yaml.5")


def hash_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check_sdist(sdist: Path, committed: Collection[str]) -> None:
    """Raises ReleaseError unless it holds every file of the commit and the manual pages, and nothing else."""
    with tarfile.open(sdist) as archive:
        found = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {*committed, *MAN_PAGES, "PKG-INFO"}
    if missing := sorted(wanted - found):
        raise ReleaseError(f"the sdist lacks {', '.join(missing)}")
    if extra := sorted(found - wanted):
        raise ReleaseError(f"the sdist holds {', '.join(extra)}, which the commit does not have")


def write_sums(folder: Path) -> None:
    """SHA256SUMS, as sha256sum --check reads it."""
    lines = [f"{hash_of(file)}  {file.name}\n" for file in sorted(folder.iterdir()) if file.name != "SHA256SUMS"]
    (folder / "SHA256SUMS").write_text("".join(lines))
