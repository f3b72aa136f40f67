"""For the tests of what fails outside."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture
def quiet_log() -> Iterator[None]:
    """Thousands of simulated seconds log too much to keep."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    yield
    structlog.configure(**before)
