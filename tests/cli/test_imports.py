"""Start-up time: commands import only what they use."""

import subprocess
import sys

import pytest

from gemwatch.adapters.store.schema import upgrade
from support.daemon import Installation, environment

HEAVY = {"apprise", "httpx", "alembic", "uvicorn", "starlette", "aiohttp", "requests"}
PROGRAM = """
import sys
from gemwatch.__main__ import main
try:
    main()
except SystemExit:
    pass
print("IMPORTED", *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def imported(*arguments: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True, env=environment()
    )
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("IMPORTED"))
    return set(line.split())


def test_status_imports_nothing_of_the_daemon(installation: Installation) -> None:
    installation.configure()
    upgrade(installation.folder / "gemwatch.db")
    found = imported("status", "--config", str(installation.config))
    assert {"typer", "sqlalchemy"} <= found
    assert not found & HEAVY


@pytest.mark.parametrize(
    "web",
    [
        "web:\n  listen: 127.0.0.1:9\n",
        "web: {listen: '127.0.0.1:9'}\n",
        "web: {badge: open, listen: 127.0.0.1:9, token: '${file:t}'} # here\n",
        "web: {token: '${file:t}', hosts: ['a b', c],  # here\n  listen: '127.0.0.1:9'}\n",
        "{api: {key: 'it: {'}, web: {token: x:y, listen: 127.0.0.1:9}, watch: [1]}\n",
        '{"web": {"listen": "127.0.0.1:9"}}',
    ],
)
def test_healthcheck_imports_next_to_nothing(installation: Installation, web: str) -> None:
    installation.config.write_text(web)
    heavy = HEAVY | {"typer", "pydantic", "rich", "sqlalchemy", "yaml"}
    assert not imported("healthcheck", "--config", str(installation.config)) & heavy
