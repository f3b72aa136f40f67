"""A store made by the migrations, in a real file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.schema import upgrade


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "gemwatch.db"
    upgrade(place)
    return place


@pytest.fixture
def engine(place: Path) -> Iterator[sa.Engine]:
    engine = open_to_write(place)
    yield engine
    engine.dispose()
