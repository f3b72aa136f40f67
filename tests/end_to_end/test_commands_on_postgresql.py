"""Commands that write or compute, with a store in PostgreSQL."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from socket import gethostname
from typing import Any

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.databases.leases import LEADER, NOW
from gemwatch.adapters.store.tables import deliveries, leases, replicas, watches
from gemwatch.core.settings import Postgresql
from support.daemon import Installation
from support.filled import fill
from support.gem import ScriptedGem, document
from support.inbox import Inbox
from support.past import HOUR, past
from support.past_store import fill as fill_past
from support.postgresql import new_database, url_of
from support.waiting import wait_until

RULE = {"input": "nl_*", "name": "{input}"}
A_MINUTE = 60_000_000


@pytest.fixture
def place() -> Iterator[Postgresql]:
    with new_database() as database:
        yield database


@pytest.fixture
def stored(installation: Installation, place: Postgresql) -> Installation:
    installation.configure(store={"url": url_of(place)})
    return installation


@pytest.fixture
def engine(place: Postgresql) -> Iterator[sa.Engine]:
    engine = open_to_write(place)
    yield engine
    engine.dispose()


def add_replica(engine: sa.Engine, name: str, host: str, *, leads: bool = False, **more: Any) -> None:
    """A daemon that has just refreshed its row, and does so for a while."""
    row = {"id": name, "host": host, "pid": 7, "version": "1.0", "login": "ok", **more}
    with engine.begin() as connection:
        connection.execute(sa.insert(replicas).values({**row, "started_at": NOW, "seen_at": NOW + A_MINUTE}))
        if leads:
            lease = {"name": LEADER, "holder": name, "host": host, "pid": 7, "version": "1.0"}
            connection.execute(sa.insert(leases).values({**lease, "expires_at": NOW + A_MINUTE}))


def test_watches_of_rules_are_kept_away_on_postgresql(
    stored: Installation, gem: ScriptedGem, engine: sa.Engine
) -> None:
    gem.lists = True
    now = datetime.now(UTC).isoformat()
    gem.answers(7, document(7, "IN_PROGRESS", input_filename="nl_7", requested_at=now))
    stored.configure(discover=[RULE], poll={"every": "1s", "list_every": "1s"})

    def watched() -> bool:
        with engine.begin() as connection:
            return bool(connection.execute(sa.select(watches.c.watched).where(watches.c.job_id == 7)).scalar())

    with stored.daemon() as daemon:
        wait_until(watched, "the job to be found")
        done = stored.run("unwatch", "7")
        assert (done.returncode, "kept away from the rules" in done.stdout, done.stderr) == (0, True, "")
        wait_until(lambda: not watched(), "the watch to end")
        done = stored.run("watch", "7")
        assert (done.returncode, done.stderr) == (0, "")
        wait_until(watched, "the entry to be applied")
        done = stored.run("unwatch", "7")
        assert (done.returncode, done.stderr) == (0, "")
        wait_until(lambda: not watched(), "the entry to be removed")
        assert daemon.stop() == 0


def test_estimate_uses_runs_on_postgresql(stored: Installation, engine: sa.Engine, gem: ScriptedGem) -> None:
    fill_past(engine, past(HOUR, HOUR, HOUR, HOUR, HOUR))
    gem.answers(7, "IN_PROGRESS")
    stored.configure(watch=[7])
    with stored.daemon() as daemon:
        wait_until(lambda: stored.job(7)["status"] == "IN_PROGRESS", "a poll")
        assert re.search(r"^7\t.*5 runs, same input", stored.run("estimate").stdout, re.MULTILINE)
        (found,) = stored.json("estimate")
        assert (found["job_id"], found["estimate"]["runs"]) == (7, 5)
        assert daemon.stop() == 0
    assert stored.run("estimate", "--backtest").returncode == 0


def test_failed_delivery_is_retried_on_postgresql(
    stored: Installation, engine: sa.Engine, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(7, "SUCCESS")
    stored.configure(watch=[7])
    with stored.daemon() as daemon:
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 7"], "the message")
        wait_until(lambda: [row["state"] for row in stored.json("deliveries")] == ["sent"], "its record")
        with engine.begin() as connection:
            connection.execute(sa.update(deliveries).values(state="failed", due_at=None))
        shown = stored.run("deliveries", "show", "1")
        assert (shown.returncode, "SUCCESS: job 7" in shown.stdout) == (0, True)
        done = stored.run("deliveries", "retry")
        assert (done.returncode, done.stderr) == (0, "")
        wait_until(lambda: len(inbox.titles()) == 2, "the message again")
        assert daemon.stop() == 0


def test_commands_read_a_filled_store_on_postgresql(stored: Installation, place: Postgresql) -> None:
    fill(place)
    stored.configure(watch=[{"job": 2, "name": "Weekly NL"}])
    for command in (
        ["status", "--all"],
        ["history"],
        ["deliveries"],
        ["estimate"],
        ["learn"],
        ["unwatch", "--finished"],
    ):
        done = stored.run(*command)
        assert (done.returncode, done.stderr.replace("gemwatch: ", "")[:9]) != (1, "Traceback"), command
        assert "Traceback" not in done.stderr


def test_replicas_are_shown_by_commands(stored: Installation, engine: sa.Engine) -> None:
    assert stored.json("status")["service"]["replicas"] == []
    add_replica(engine, "a", "gemwatch-1", leads=True)
    add_replica(engine, "b", "gemwatch-2", login="refused")
    leader, follower = stored.json("status")["service"]["replicas"]
    assert leader.keys() == {"id", "host", "version", "seen_at", "leader", "login"}
    assert (leader["host"], leader["leader"], leader["login"]) == ("gemwatch-1", True, "ok")
    assert (follower["host"], follower["leader"], follower["login"]) == ("gemwatch-2", False, "refused")
    facts = stored.json("db", "info")
    assert (facts["daemon"], facts["daemon_host"]) == (7, "gemwatch-1")
    assert [one["host"] for one in facts["replicas"]] == ["gemwatch-1", "gemwatch-2"]
    assert "Followers:    gemwatch-2\n" in stored.run("db", "info").stdout
    (check,) = [one for one in stored.json("doctor", "--offline")["checks"] if one["name"] == "replicas"]
    assert check["state"] == "warning"
    assert "gemwatch-1, leader; gemwatch-2, login refused" in check["found"]
    add_replica(engine, "c", "gemwatch-1", pid=8)
    assert "Followers:    gemwatch-2, gemwatch-1 (process 8)\n" in stored.run("db", "info").stdout


def test_edit_on_the_host_of_a_follower_names_the_leader(stored: Installation, engine: sa.Engine) -> None:
    add_replica(engine, "a", "gemwatch-1", leads=True)
    assert stored.run("watch", "7").stderr == ""  # no daemon runs on this host
    add_replica(engine, "b", gethostname())
    for command in ("watch", "unwatch"):
        done = stored.run(command, "8")
        assert done.returncode == 0
        assert "The daemon on this host follows gemwatch-1, which applies its own files." in done.stderr
    with engine.begin() as connection:
        connection.execute(sa.update(leases).values(holder="b"))
    assert stored.run("watch", "9").stderr == ""


def test_edit_is_made_while_the_database_does_not_answer(stored: Installation) -> None:
    stored.configure(store={"url": "postgresql+psycopg://gemwatch@127.0.0.1:9/gemwatch"})
    done = stored.run("watch", "7")
    assert (done.returncode, done.stderr) == (0, "")
    stored.configure(store={"url": "${GEMWATCH_IS_NOT_SET}"})
    assert "job 8 is on the watch list" in stored.run("watch", "8").stdout
