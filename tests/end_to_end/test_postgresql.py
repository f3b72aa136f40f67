"""The installed program with its store in PostgreSQL."""

import json
import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
import yaml

from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.databases.replicas import live_replicas
from gemwatch.adapters.store.tables import deliveries, watches
from gemwatch.core.settings import Postgresql
from support.daemon import Daemon, Installation
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.json_records import JsonRecords
from support.postgresql import administer, age, new_database, restart, url_of
from support.waiting import wait_until

TAKEOVER = 90.0  # seconds: a killed or frozen replica counts as dead after 30


@pytest.fixture
def place() -> Iterator[Postgresql]:
    with new_database(empty=True) as database:
        yield database


@pytest.fixture
def stored(installation: Installation, place: Postgresql) -> Installation:
    installation.configure(store={"url": url_of(place)})
    return installation


def test_daemon_and_commands_work_on_postgresql(
    stored: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql
) -> None:
    gem.answers(7, "REQUESTED", "IN_PROGRESS", "SUCCESS")
    gem.answers(8, "IN_PROGRESS")
    stored.configure(watch=[7, 8])
    with stored.daemon() as daemon:
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 7"], "the end")
        assert stored.job(7)["status"] == "SUCCESS"
        assert stored.history(7)[-1] == "SUCCESS"
        wait_until(lambda: [row["state"] for row in stored.json("deliveries")] == ["sent"], "the delivery")
        assert daemon.get("/")[0] == daemon.get("/jobs/7")[0] == daemon.get("/metrics")[0] == 200
        assert stored.run("healthcheck").returncode == 0
        facts = stored.json("db", "info")
        assert (facts["daemon"], facts["path"]) == (daemon.process.pid, str(place))
        assert facts["counts"]["jobs"]["watched"] == 2
        names = {finding["name"]: finding["state"] for finding in stored.json("doctor")["checks"]}
        assert {names[one] for one in ("store", "PostgreSQL", "transactions", "dead rows", "replicas")} == {"ok"}
        assert stored.run("wait", "7").returncode == 0
        upgrade = stored.run("db", "upgrade")
        assert (upgrade.returncode, f"as process {daemon.process.pid} on " in upgrade.stderr) == (1, True)
        assert daemon.stop() == 0
    with stored.daemon() as daemon:
        wait_until(lambda: gem.asked(8) > 2, "polls after the restart")
        assert daemon.stop() == 0
    assert inbox.titles() == ["SUCCESS: job 7"]
    upgraded = stored.run("db", "upgrade")
    assert (upgraded.returncode, "already; nothing was done" in upgraded.stdout) == (0, True)
    refused = stored.run("db", "backup", "copy.db")
    assert (refused.returncode, "pg_dump --format custom" in refused.stderr) == (1, True)


def test_outage_of_postgresql_loses_nothing(
    stored: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql
) -> None:
    gem.answers(7, "IN_PROGRESS")
    stored.configure(watch=[7])
    with stored.daemon() as daemon:
        wait_until(lambda: gem.asked(7) > 0, "a poll")
        administer(f"ALTER DATABASE {place.database} ALLOW_CONNECTIONS false")
        administer(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{place.database}'")
        wait_until(lambda: daemon.logged("component_failed"), "the failure")
        gem.answers(7, "SUCCESS")
        administer(f"ALTER DATABASE {place.database} ALLOW_CONNECTIONS true")
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 7"], "the end")
        assert daemon.logged("component_recovered")
        assert daemon.stop() == 0


def test_hard_restart_of_postgresql_loses_nothing(
    stored: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql
) -> None:
    gem.answers(7, "IN_PROGRESS")
    stored.configure(watch=[7])
    with stored.daemon() as daemon:
        wait_until(lambda: gem.asked(7) > 0, "a poll")
        restart("immediate")
        gem.answers(7, "SUCCESS")
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 7"], "the end")
        wait_until(lambda: [row["state"] for row in stored.json("deliveries")] == ["sent"], "the delivery")
        assert daemon.stop() == 0


def other_on(
    stored: Installation, gem: ScriptedGem, inbox: Inbox, name: str = "second", **changes: object
) -> Installation:
    """Another installation on the same store."""
    folder = stored.folder / "second"
    folder.mkdir()
    other = Installation(folder, gem, inbox)
    url = yaml.safe_load(stored.config.read_text())["store"]["url"]
    other.configure(store={"url": url}, **changes)
    return other


def test_replicas_share_the_polls_and_one_leads(
    stored: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql
) -> None:
    jobs = list(range(1, 31))
    for job_id in jobs:
        gem.answers(job_id, "IN_PROGRESS")
    stored.configure(watch=jobs)
    second = other_on(stored, gem, inbox, watch=jobs)
    records = open_to_read(place)
    with stored.daemon() as leader, second.daemon() as follower:
        wait_until(lambda: follower.logged("started"), "the second daemon")
        assert leader.logged("leadership_taken")
        with records.begin() as connection:
            found = {one.pid: one.leader for one in live_replicas(connection)}
        assert found == {leader.process.pid: True, follower.process.pid: False}
        claimed = claimers(records, most=2)
        assert len(claimed) == 2
        processes = (leader.process.pid, follower.process.pid)
        for one in (leader, follower):
            wait_until(lambda: shows_both(one, *processes), "both replicas on page, API and metrics")  # noqa: B023
        for job_id in jobs:
            gem.answers(job_id, "SUCCESS")
        wait_until(lambda: delivered(records) == len(jobs), "all ends", patience=TAKEOVER)
        assert leader.stop() == 0
        wait_until(lambda: follower.logged("leadership_taken"), "the next leader")
        assert follower.stop() == 0
    records.dispose()


def shows_both(daemon: Daemon, leader: int, follower: int) -> bool:
    foot = rf"Replicas: \S+ \(process {leader}\), leader; \S+ \(process {follower}\)"
    page, metrics, service = (daemon.get(path)[1] for path in ("/", "/metrics", "/api/service"))
    if not (re.search(foot, page) and "\ngemwatch_replicas 2.0\n" in metrics and service):
        return False
    return [row["leader"] for row in json.loads(service)["replicas"]] == [True, False]


def claimers(engine: sa.Engine, *, most: int) -> set[str]:
    """The replicas that have claimed jobs, once there are `most` of them."""
    found: set[str] = set()

    def enough() -> bool:
        with engine.begin() as connection:
            query = sa.select(watches.c.claimed_by).where(watches.c.claimed_by.is_not(None))
            found.update(connection.execute(query).scalars())
        return len(found) >= most

    wait_until(enough, "claims of each replica")
    return found


def delivered(engine: sa.Engine) -> int:
    with engine.begin() as connection:
        query = sa.select(sa.func.count()).select_from(deliveries).where(deliveries.c.state == "sent")
        return int(connection.execute(query).scalar_one())


def test_kill_repeats_no_message(stored: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql) -> None:
    gem.answers(7, "SUCCESS")
    stored.configure(watch=[7])
    records = JsonRecords(open_to_read(place))
    with stored.daemon() as daemon:
        wait_until(lambda: [row["state"] for row in records.deliveries()] == ["sent"], "the delivery")
        daemon.kill()
    age(place, daemon.process.pid)
    gem.answers(8, "SUCCESS")
    stored.configure(watch=[7, 8])
    with stored.daemon() as daemon:
        wait_until(lambda: len(inbox.titles()) == 2, "the next end", patience=TAKEOVER)
        assert daemon.stop() == 0
    assert inbox.titles() == ["SUCCESS: job 7", "SUCCESS: job 8"]


def test_copied_store_repeats_nothing(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql
) -> None:
    gem.answers(7, "SUCCESS")
    installation.configure(watch=[7])
    with installation.daemon() as daemon:
        wait_until(lambda: inbox.titles() == ["SUCCESS: job 7"], "the end")
        other = installation.folder / "other.yaml"
        text = installation.config.read_text()
        other.write_text(f'{text}\nstore: {{url: "{url_of(place)}"}}\n')
        refused = installation.run("db", "copy", "--to-config", str(other))
        assert (refused.returncode, f"as process {daemon.process.pid}" in refused.stderr) == (1, True)
        assert daemon.stop() == 0
    done = installation.run("db", "copy", "--to-config", str(other))
    assert (done.returncode, done.stderr) == (0, "")
    assert "copied 1 job, 1 transition and 1 delivery" in done.stdout
    installation.configure(store={"url": url_of(place)})
    asked = gem.asked(7)
    with installation.daemon() as daemon:
        assert installation.job(7)["status"] == "SUCCESS"
        assert daemon.stop() == 0
    assert (inbox.titles(), gem.asked(7)) == (["SUCCESS: job 7"], asked)
