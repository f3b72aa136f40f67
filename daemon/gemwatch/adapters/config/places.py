"""Where a configuration is looked for. Imports little: a health check has no time for more."""

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "GEMWATCH_CONFIG"
PLACES = (Path("config.yaml"), Path("/etc/gemwatch/config.yaml"))


class NoConfigError(Exception):
    """There is no configuration file. The message names every place that was tried; show it."""


def find(option: Path | None, environ: Mapping[str, str]) -> Path:
    """The option, else the environment's, else the working folder's, else the system's. Raises NoConfigError.

    A file that was named is returned even if it does not exist: whoever reads it reports that. The same holds for
    one that this user may not see.
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
        f"there is no configuration file. Tried:\n  --config: not given\n  ${VARIABLE}: not set\n{tried}\n"
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
