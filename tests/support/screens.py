"""What commands show on a terminal of 80 columns, as a page of the documentation: `make screenshots`."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from gemwatch import __version__
from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.tables import leases, replicas, target_health
from gemwatch.core.settings import Postgresql
from support import scene
from support.daemon import GEMWATCH, Installation, environment
from support.gem import ScriptedGem, document
from support.inbox import Inbox
from support.postgresql import new_database, url_of
from support.terminal import Terminal, plain

PAGE = Path(__file__).parents[2] / "docs" / "screens.md"
NOW = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)
_FROZEN = ("faketime", "-f", "2026-02-18 14:21:07")
_PLACE = "/home/gemwatch"
_INTRODUCTION = """\
# Screens

What the commands show on a terminal of 80 columns. `make screenshots` writes this page. In a pipe, tables are one
line per record, with full values between TABs.
"""
_REASON = "smtp.example.com:587 answered 535: Authentication unsuccessful"


def page() -> str:
    """The whole page. Needs faketime (apt-get install faketime): what commands show depends on the time."""
    if shutil.which("faketime") is None:
        raise SystemExit("faketime is missing: apt-get install faketime")
    parts = [_INTRODUCTION, *(f"## {title}\n\n```text\n{shown}\n```\n" for title, shown in screens().items())]
    return "\n".join(parts)


def screens() -> Mapping[str, str]:
    with tempfile.TemporaryDirectory(prefix="gemwatch") as place, ScriptedGem() as gem, Inbox() as inbox:
        folder = Path(place)
        installation = Installation(folder, gem, inbox)
        first = _first(folder)
        scene.install(installation, gem, inbox, NOW)
        installation.configure(name="gis-prod", log={}, web={"listen": "off"})
        installation.config.chmod(0o600)
        running, failed = scene.job_id("Netherlands weekly"), scene.job_id("Poland lanes")
        gem.answers(running, document(running, "IN_PROGRESS"), document(running, "SUCCESS"))
        found = {
            "A first configuration: `gemwatch init`": first,
            "Is it valid? `gemwatch check`": _shown(folder, "check"),
            "All jobs: `gemwatch status`": _shown(folder, "status"),
            "One job in full: `gemwatch status JOB_ID`": _shown(folder, "status", str(failed)),
            "What happened to a job: `gemwatch history JOB_ID`": _shown(folder, "history", str(failed)),
            "When jobs are expected to end: `gemwatch estimate`": _shown(folder, "estimate"),
            "What was sent: `gemwatch deliveries`": _shown(folder, "deliveries", "--limit", "6"),
            "A message as it was sent: `gemwatch deliveries show`": _shown(
                folder, "deliveries", "show", _delivery(installation, failed)
            ),
            "Wait for jobs: `gemwatch wait`": _shown(folder, "wait", str(running), str(failed)),
            "Common problems: `gemwatch doctor`": _shown(folder, "doctor", "--offline"),
        }
        found["Several replicas: `gemwatch status`"] = _replicas(installation)
        _target_down(folder)
        down = _shown(folder, "status", str(running))
        return {**found, "A target that is down: `gemwatch status`": down}


def _first(folder: Path) -> str:
    """`init`, with the answers that a person types."""
    with _terminal(folder, [*GEMWATCH, "init"]) as terminal:
        for question, answer in (
            ("API key .*: ", ""),
            ("token: az.*: ", ""),
            ("Target .*: ", "team-slack"),
            ("URL of team-slack.*: ", "SLACK_URL"),
            ("Another .*: ", ""),
            ("Job ids.*: ", "123456789 123456790"),
        ):
            terminal.until(question)
            terminal.keys(f"{answer}\n")
        terminal.end()
    (folder / "config.yaml").unlink()
    return fit(terminal.output, folder, ["init"])


def _shown(folder: Path, *words: str) -> str:
    with _terminal(folder, [*_FROZEN, *GEMWATCH, *words]) as terminal:
        terminal.end()
    return fit(terminal.output, folder, words)


def _terminal(folder: Path, command: Sequence[str]) -> Terminal:
    more = {"TZ": "Europe/Amsterdam", "NO_COLOR": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "LC_ALL": "C.UTF-8"}
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return Terminal(["env", "-C", str(folder), *command], environment(**more, **path))


def fit(output: str, folder: Path, words: Sequence[str]) -> str:
    """The last state of the screen, without what differs between machines."""
    text = plain(re.sub(r"(.*\n)*\x1b\[\d+A\r\x1b\[J", "", output)).strip("\r\n")
    text = text.replace(str(folder), _PLACE).replace(f"{sys.executable} -m gemwatch", "gemwatch")
    text = re.sub(r"http://127\.0\.0\.1:\d+", "https://api.example.com", text)
    text = re.sub(r"Python \S+,\s+Linux\s+\S+", "Python 3.13.7, Linux 6.12", text)
    text = re.sub(r"\d+ MiB are", "51200 MiB are", text)
    return f"$ gemwatch {' '.join(words)}\n{re.sub(r' +$', '', text, flags=re.MULTILINE)}"


def _delivery(installation: Installation, job: int) -> str:
    return str(
        next(row["id"] for row in installation.json("deliveries", "--job", str(job)) if row["state"] == "sent")
    )


def _target_down(folder: Path) -> None:
    engine = open_to_write(folder / "gemwatch.db")
    with engine.begin() as connection:
        row = {"target": "data-mail", "failing_since": NOW, "down_since": NOW, "reason": _REASON}
        connection.execute(sa.insert(target_health).values(row))
    engine.dispose()


def _replicas(installation: Installation) -> str:
    """The same jobs in PostgreSQL, of which two daemons take care."""
    with new_database(empty=True) as place:
        before = dict(installation.document)
        copied = installation.config.with_name("postgresql.yaml")
        installation.configure(store={"url": url_of(place)})
        installation.config.rename(copied)
        installation.document = before
        installation.configure()
        done = installation.run("db", "copy", "--to-config", str(copied))
        assert done.returncode == 0, done.stderr
        copied.rename(installation.config)
        _begin_two(place)
        shown = _shown(installation.folder, "status", "--limit", "3")
    installation.configure()
    return shown


def _begin_two(place: Postgresql) -> None:
    engine, now = open_to_write(place), datetime.now(UTC)
    with engine.begin() as connection:
        for number in (1, 2):
            row = {"host": f"gemwatch-{number}", "pid": 1, "version": __version__}
            connection.execute(
                sa.insert(replicas).values(
                    id=str(number), **row, started_at=now + timedelta(seconds=number), seen_at=now, login="ok"
                )
            )
        lease = {"name": "leader", "holder": "1", "expires_at": now + timedelta(hours=1)}
        connection.execute(sa.insert(leases).values(**lease, host="gemwatch-1", pid=1, version=__version__))
    engine.dispose()


if __name__ == "__main__":
    PAGE.write_text(page())
