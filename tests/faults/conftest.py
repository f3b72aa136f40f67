"""A scripted API, an inbox, a clock and an installation for each test of a fault."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.clock import FakeClock
from support.daemon import Installation
from support.gem import ScriptedGem
from support.inbox import Inbox


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
