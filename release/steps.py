"""Starts the tools of a release and shows where it is."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


class ReleaseError(Exception):
    """The release cannot be made; the message says why."""


def step(text: str) -> None:
    print(f"== {text}", flush=True)


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    quiet: bool = False,
) -> None:
    """One command to its end. With `quiet`, its output is shown only if it fails."""
    try:
        subprocess.run(command, cwd=cwd, env=env, check=True, capture_output=quiet)
    except subprocess.CalledProcessError as error:
        if quiet:
            print((error.stdout + error.stderr).decode(errors="replace")[-4000:])
        raise
