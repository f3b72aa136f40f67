"""For the tests of what is outside."""

from collections.abc import AsyncIterator

import pytest

from gemwatch.adapters.gem.client import GemApi
from support.asking import api_at
from support.gem import ScriptedGem


@pytest.fixture
async def api(gem: ScriptedGem) -> AsyncIterator[GemApi]:
    async with api_at(gem.url) as api:
        yield api
