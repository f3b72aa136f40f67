"""The environment of child processes: ours without what is none of their business."""

from collections.abc import Collection, Mapping

from gemwatch.core.secrets import Secrets

# Without these hardly any program runs as its user expects, whatever a configuration refers to.
_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PWD", "TERM"})
_WITHHELD = frozenset({"NOTIFY_SOCKET"})  # with it, a child could tell systemd that we are well
_WITHHELD_PREFIXES = ("PG",)  # the store's password and the like, as libpq reads them


def child_environment(environ: Mapping[str, str], *, referred: Collection[str], secrets: Secrets) -> dict[str, str]:
    """Everything but the variables that the configuration refers to, and those that hold one of its secrets.

    What remains may hold secrets of others: a command such as `vault` needs its own.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _KEPT
        or not (name in _WITHHELD or name in referred or name.startswith(_WITHHELD_PREFIXES) or secrets.are_in(value))
    }
