"""The configuration in force and what was built from it, replaced as a whole when an edit is applied."""

from dataclasses import dataclass

from gemwatch.core.settings import Settings
from gemwatch.engine.pace import Pace
from gemwatch.engine.ports import Api, Credentials, Targets


@dataclass(slots=True, kw_only=True)
class ActiveConfig:
    """Shared by the loops; only the reloader writes to it, between two awaits."""

    settings: Settings
    api: Api
    credentials: Credentials
    targets: Targets
    pace: Pace

    def take(self, fresh: "ActiveConfig") -> None:
        """Put another configuration in force, in one step between two awaits."""
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
