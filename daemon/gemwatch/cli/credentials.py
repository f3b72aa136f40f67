"""systemd's credentials. They exist only while their unit runs, so a reference to one is not a mistake then."""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from gemwatch.core.settings import Problem

_CREDENTIAL = re.compile(r"/run/credentials/([^/\"\s]+)/")


def parted(problems: Iterable[Problem]) -> tuple[Sequence[Problem], Sequence[str]]:
    """The real mistakes, and the units whose credentials are missing because they do not run."""
    real, units = [], list[str]()
    for problem in problems:
        unit = _CREDENTIAL.search(problem.what)
        if unit is None or os.path.lexists(Path("/run/credentials", unit[1])):
            real.append(problem)
        elif unit[1] not in units:
            units.append(unit[1])
    return real, units


def missing(unit: str) -> str:
    """What it means, and what to run."""
    return (
        f"/run/credentials/{unit} exists only while {unit} runs, and it does not run. The references to it cannot be "
        "checked now; the configuration may be right. To see why the unit does not run:"
    )


def command(unit: str) -> str:
    return f"journalctl -u {unit.removesuffix('.service')} -n 20"
