"""Wheels for another Python or processor than this machine's."""

import os
import re
import subprocess
import sys
from pathlib import Path

from release.steps import ReleaseError, run

_IMAGE_LOCKS = ("requirements-azure.lock", "requirements-postgresql.lock", "requirements-azure-cli.lock")


def only(python: str, machine: str) -> list[str]:
    """The options of pip that choose them. `machine`: as `uname -m` names it."""
    platforms = [f"--platform=manylinux_2_{minor}_{machine}" for minor in (36, 35, 34, 31, 28, 27, 26, 24, 17)]
    platforms += [f"--platform=manylinux2014_{machine}"]
    return [f"--python-version={python}", "--implementation=cp", "--only-binary=:all:", "--no-deps", *platforms]


def pip(*arguments: str | Path) -> None:
    """`pip install`. Its output is shown only if it fails."""
    environment = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_ROOT_USER_ACTION": "ignore"}
    run([sys.executable, "-m", "pip", "install", "--quiet", *arguments], env=environment, quiet=True)


def check_image(tree: Path, machine: str) -> None:
    """Raises ReleaseError unless each pin of what the image can hold has a wheel for this processor."""
    for lock in _IMAGE_LOCKS:
        check(tree / lock, image_python(tree), machine)


def check(lock: Path, python: str, machine: str) -> None:
    """Raises ReleaseError unless each pin of the lock has a wheel whose hash is locked. Installs nothing."""
    target = ("--target", lock.parent / "nowhere", "--dry-run", "--ignore-installed")
    try:
        pip(*target, *only(python, machine), "--require-hashes", "-r", lock)
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise ReleaseError(f"{lock.name}, Python {python} on {machine}: {''.join(reason)}") from None


def image_python(tree: Path) -> str:
    found = re.search(r"^FROM python:(3\.\d+)", (tree / "Dockerfile").read_text(), re.MULTILINE)
    if found is None:
        raise ReleaseError("Dockerfile: the base image is not the expected one")
    return found[1]
