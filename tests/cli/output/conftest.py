"""For the tests of what commands print."""

import pytest

from gemwatch.adapters.store.schema import upgrade
from support.daemon import Installation
from support.filled import fill


@pytest.fixture
def filled(installation: Installation) -> Installation:
    """A store with a bit of everything, and names with umlauts."""
    installation.configure(watch=[{"job": 2, "name": "Österreich wöchentlich"}])
    place = installation.folder / "gemwatch.db"
    upgrade(place)
    fill(place)
    return installation
