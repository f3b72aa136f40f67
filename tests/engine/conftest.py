"""A scripted API, an inbox and a clock for every test of the engine."""

from collections.abc import Iterator

import pytest

from support.clock import FakeClock
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
