"""Finds the configuration file. Imports little, because a health check must be fast."""

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "GEMWATCH_CONFIG"
PLACES = (Path("config.yaml"), Path("/etc/gemwatch/config.yaml"))


class NoConfigError(Exception):
    """No configuration file was found. The message lists every place that was tried and can be shown."""


def find(option: Path | None, environ: Mapping[str, str]) -> Path:
    """The file from the option, the environment, the working folder or /etc, in this order. Raises NoConfigError.

    A file that the option or the environment names is returned even if it does not exist: reading it reports that.
    The same holds for a file that this user has no permission to see.
    """
    if option is not None:
        return option
    if named := environ.get(VARIABLE):
        return Path(named)
    for place in PLACES:
        if _may_exist(place):
            return place
    tried = "\n".join(f"  {place.absolute()}: no such file" for place in PLACES)
    raise NoConfigError(
        f"no configuration file found. Tried:\n  --config: not given\n  ${VARIABLE}: not set\n{tried}\n"
        "Write one with: gemwatch init"
    )


def _may_exist(place: Path) -> bool:
    try:
        os.stat(place)  # noqa: PTH116 (pathlib's own answer differs between Python versions)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True
