"""Sets a priority by outcome, for services with priorities, unless the URL names one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from apprise.plugins.base import NotifyBase

from gemwatch.core.traits import Tone

# Each service's name for a priority above its default. Emergency levels, which alert until a person confirms, are
# only used if the URL names them.
_HIGH: dict[str, Any] = {
    "NotifyNtfy": "high",
    "NotifyGotify": 8,
    "NotifyPushover": 1,
    "NotifyProwl": 1,
    "NotifyJoin": 1,
    "NotifyOpsgenie": 4,
}


@contextmanager
def prioritised(plugin: NotifyBase, tone: Tone) -> Iterator[None]:
    """For one message: failures get a high priority."""
    name = type(plugin).__name__
    usual = getattr(plugin, "priority", None)
    if tone is not Tone.BAD or name not in _HIGH or usual != _default(plugin):
        yield
        return
    plugin.priority = _HIGH[name]  # type: ignore[attr-defined]
    try:
        yield
    finally:
        plugin.priority = usual  # type: ignore[attr-defined]


def _default(plugin: NotifyBase) -> Any:
    return plugin.template_args.get("priority", {}).get("default")
