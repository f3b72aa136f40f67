"""Replicas of the program on one PostgreSQL database."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gemwatch.core.settings import Postgresql
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.pgbouncer import pgbouncer
from support.postgresql import new_database
from support.replicas import replicas
from support.tools import needs
from support.waiting import wait_until


@pytest.fixture
def database() -> Iterator[Postgresql]:
    with new_database() as database:
        yield database


@needs("pgbouncer")
def test_daemon_works_through_pgbouncer(tmp_path: Path, gem: ScriptedGem, inbox: Inbox, database: Postgresql) -> None:
    gem.answers(7, "IN_PROGRESS", "SUCCESS")
    with pgbouncer(database) as place, replicas(tmp_path, gem, inbox, place, 1, watch=[7]) as one:
        one.start()
        wait_until(one.settled, "the end")
        assert inbox.titles() == ["SUCCESS: job 7"]
        one.stop()


@needs("faketime")
def test_clock_that_differs_by_an_hour_does_no_harm(
    tmp_path: Path, gem: ScriptedGem, inbox: Inbox, database: Postgresql
) -> None:
    gem.answers(7, "IN_PROGRESS", "SUCCESS")
    with replicas(tmp_path, gem, inbox, database, 1, watch=[7]) as one:
        one[0].start(hours=1)
        wait_until(one.settled, "the end")
        assert inbox.titles() == ["SUCCESS: job 7"]
        one.stop()
