"""The installed program with its store in PostgreSQL."""

import signal
from collections.abc import Iterator

import pytest

from gemwatch.adapters.store.database import open_to_read
from gemwatch.core.settings import Postgresql
from support.daemon import Installation, free_port
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.json_records import JsonRecords
from support.postgresql import administer, new_database, restart, url_of
from support.waiting import PATIENCE, wait_until


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
        assert (names["store"], names["PostgreSQL"], names["daemon"]) == ("ok", "ok", "ok")
        assert stored.run("wait", "7").returncode == 0
        second = stored.run("run")
        assert (second.returncode, f"as process {daemon.process.pid} on " in second.stderr) == (1, True)
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


def test_frozen_daemon_writes_nothing_when_it_continues(
    stored: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql
) -> None:
    gem.answers(7, "IN_PROGRESS")
    stored.configure(watch=[7])
    with stored.daemon() as frozen:
        wait_until(lambda: gem.asked(7) > 0, "a poll")
        frozen.process.send_signal(signal.SIGSTOP)
        port = free_port()
        stored.configure(web={"listen": f"127.0.0.1:{port}"})
        stored.port = port
        with stored.daemon() as daemon:  # waits for the end of the lease
            frozen.process.send_signal(signal.SIGCONT)
            assert frozen.process.wait(PATIENCE) == 1
            gem.answers(7, "SUCCESS")
            wait_until(lambda: inbox.titles() == ["SUCCESS: job 7"], "the end")
            assert daemon.process.poll() is None
            assert daemon.stop() == 0
        assert f"process {daemon.process.pid} on " in frozen.log_file.read_text()
    assert inbox.titles() == ["SUCCESS: job 7"]


def test_kill_repeats_no_message_and_frees_the_store(
    stored: Installation, gem: ScriptedGem, inbox: Inbox, place: Postgresql
) -> None:
    gem.answers(7, "SUCCESS")
    stored.configure(watch=[7])
    records = JsonRecords(open_to_read(place))
    with stored.daemon() as daemon:
        wait_until(lambda: [row["state"] for row in records.deliveries()] == ["sent"], "the delivery")
        daemon.kill()
    gem.answers(8, "SUCCESS")
    stored.configure(watch=[7, 8])
    with stored.daemon() as daemon:  # waits for the end of the lease
        wait_until(lambda: len(inbox.titles()) == 2, "the next end")
        assert len(daemon.logged("store_leased")) == 1
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
