"""Fixtures for all tests: settings, real servers and stores, an installation, and a clock that a test moves."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.schema import upgrade
from gemwatch.core.settings import Place
from support.clock import FakeClock
from support.daemon import Installation
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.postgresql import new_database
from support.tools import skip_where_missing

# Shared machines sometimes stall, so the duration of an example is not checked.
settings.register_profile("gemwatch", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gemwatch")

pytest_plugins = ["support.together"]
LONG = (
    "torture",
    "end_to_end",
)  # folders whose tests take longest: they start first, so that no worker ends with one
TIMEOUT = 300  # seconds: a test that hangs ends with the stacks of all threads, on a busy machine too


# A background job of a shell ignores Ctrl-C, and so would the programs that tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Three workers for two processors: tests wait for timers, servers and other processes half of their time."""
    return max(1, len(os.sched_getaffinity(0)) * 3 // 2)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name not in LONG)
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(TIMEOUT))
        skip_where_missing(item)


@pytest.fixture
def gem() -> Iterator[ScriptedGem]:
    with ScriptedGem() as gem:
        yield gem


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as inbox:
        yield inbox


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def installation(tmp_path: Path, gem: ScriptedGem, inbox: Inbox) -> Installation:
    return Installation(tmp_path, gem, inbox)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store in a file, for what only SQLite does."""
    upgrade(tmp_path / "gemwatch.db")
    return tmp_path / "gemwatch.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A store of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("file")
        return
    with new_database() as database:
        yield database


@pytest.fixture
def engine(place: Place) -> Iterator[sa.Engine]:
    engine = open_to_write(place)
    yield engine
    engine.dispose()
