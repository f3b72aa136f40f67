"""A plugin for pytest-xdist: the tests of a module that share what its own fixture sets up run in one worker.

Its groups (`--dist loadgroup`) would do this, but have no effect with pytest 9.2.
"""

import functools

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


class Together(LoadScopeScheduling):
    """Every other test is a unit of its own. Large units come first, and otherwise the order stays."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return module if self._shares(module) else nodeid

    @functools.cache  # noqa: B019 (there is one for the whole run)
    def _shares(self, module: str) -> bool:
        return 'scope="module"' in (self.config.rootpath / module).read_text(encoding="utf-8")


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    return Together(config, log)
