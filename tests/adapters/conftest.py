"""A store made by the migrations, in a real file."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.schema import upgrade


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'gemwatch.db'}"
    upgrade(url)
    return url


@pytest.fixture
def engine(store_url: str) -> Iterator[sa.Engine]:
    engine = open_to_write(store_url)
    yield engine
    engine.dispose()
