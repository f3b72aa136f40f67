"""The sources of a release: the last commit, exported, with the project's URLs where they are known."""

import io
import os
import re
import subprocess
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from release.steps import ReleaseError

_LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)\s]+\))")
_FOLDERS = {
    "Homepage": "",
    "Documentation": "/blob/v{version}/docs",
    "Source": "",
    "Issues": "/issues",
    "Changelog": "/blob/v{version}/CHANGELOG.md",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """`seconds`: its time since 1970, which everything in the packages gets."""

    id: str
    seconds: int


def last_commit(root: Path) -> Commit:
    """The last commit. Raises ReleaseError while there are changes that it does not have."""
    if changed := _git(root, "status", "--porcelain").decode().strip():
        raise ReleaseError(f"commit first, because the packages are made of the last commit:\n{changed[:1000]}")
    commit, seconds = _git(root, "log", "-1", "--format=%H %ct").decode().split()
    return Commit(id=commit, seconds=int(seconds))


def files(root: Path) -> set[str]:
    return set(_git(root, "ls-files", "-z").decode().strip("\0").split("\0"))


def version(root: Path) -> str:
    """The only place of the version is pyproject.toml."""
    found: str = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    return found


def export(root: Path, folder: Path, commit: Commit) -> Path:
    """The commit's files in a new folder."""
    with tarfile.open(fileobj=io.BytesIO(_git(root, "archive", commit.id))) as archive:
        if safe := getattr(tarfile, "data_filter", None):  # from 3.11.4 on; Debian 12 has 3.11.2
            archive.extraction_filter = safe
        archive.extractall(folder)  # noqa: S202 (the commit's own files)
    if url := os.environ.get("REPOSITORY_URL", "").rstrip("/"):
        name_urls(folder, url)
    return folder


def name_urls(folder: Path, url: str) -> None:
    """Add the project's URLs, and make the README's links absolute: an index shows it without the files around it."""
    if not url.startswith("https://"):
        raise ReleaseError("REPOSITORY_URL: write https://HOST/OWNER/NAME")
    number, project = version(folder), folder / "pyproject.toml"
    lines = [f'{name} = "{url}{path.format(version=number)}"' for name, path in _FOLDERS.items()]
    project.write_text(project.read_text() + "\n".join(["\n[project.urls]", *lines, ""]))
    readme = folder / "README.md"
    text = _LINK.sub(lambda link: f"{link[1]}{url}/{_kind(link[2])}/v{number}/{link[2]}", readme.read_text())
    readme.write_text(text)


def _kind(target: str) -> str:
    return "raw" if target.endswith(".png)") else "blob"


def _git(root: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True).stdout  # noqa: S607
