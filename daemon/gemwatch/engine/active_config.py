"""The active configuration and the objects built from it. An applied edit replaces all of it at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gemwatch.core.settings import Settings
from gemwatch.core.text.context import NOWHERE, Context
from gemwatch.engine.pace import Pace
from gemwatch.engine.ports import Api, Credentials, Targets


@dataclass(slots=True, kw_only=True)
class ActiveConfig:
    """Shared by the loops; only the reloader writes to it, between two awaits.

    `contexts`: by target, what its messages need in addition to the event.
    """

    settings: Settings
    api: Api
    credentials: Credentials
    targets: Targets
    pace: Pace
    contexts: Mapping[str, Context] = field(default_factory=dict)

    def context(self, target: str) -> Context:
        return self.contexts.get(target, NOWHERE)

    def take(self, fresh: "ActiveConfig") -> None:
        """Activate another configuration, in one step between two awaits."""
        for name in self.__slots__:
            setattr(self, name, getattr(fresh, name))
