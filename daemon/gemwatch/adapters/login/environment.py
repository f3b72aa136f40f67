"""The environment of child processes: ours, without the variables that they do not need."""

from collections.abc import Collection, Mapping

from gemwatch.core.secrets import Secrets

# Few programs work as expected without these, so they are passed on even if the configuration refers to them.
_KEPT = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "PWD", "TERM"})
_WITHHELD = frozenset({"NOTIFY_SOCKET"})  # with it, a child could report our health to systemd
_WITHHELD_PREFIXES = ("PG",)  # libpq's variables, such as PGPASSWORD


def child_environment(environ: Mapping[str, str], *, referred: Collection[str], secrets: Secrets) -> dict[str, str]:
    """The environment without variables that the configuration refers to or that contain one of its secrets.

    Other secrets stay: a command such as `vault` needs its own.
    """
    return {
        name: value
        for name, value in environ.items()
        if name in _KEPT
        or not (name in _WITHHELD or name in referred or name.startswith(_WITHHELD_PREFIXES) or secrets.are_in(value))
    }
