"""Loads and checks Apprise URLs. No message contains a part of a URL."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import apprise
from apprise.plugins import url_to_dict
from apprise.plugins.base import NotifyBase
from apprise.utils.parse import parse_urls

from gemwatch.adapters.notify import mail, reasons
from gemwatch.adapters.notify.plugins import N_MGR

log = logging.getLogger("apprise")
for silent in (log, logging.getLogger("urllib3")):
    silent.addHandler(logging.NullHandler())  # otherwise Python prints warnings without a handler to stderr

PATIENCE = (
    30.0  # seconds; Apprise's 4 would report a slow service as failed, and gemwatch would send the message twice
)

# Options that would bypass the outbox, and their effect.
_REFUSED = {
    "optional": "reports a failure as a success",
    "retry": "makes Apprise retry; gemwatch already does",
    "wait": "makes Apprise retry; gemwatch already does",
    "redirect": "follows a redirect, after which it is unknown whether the message arrived",
    "attach": "reads a file for every message",
}
_OFF = frozenset({"no", "false", "off", "0", "0.0", ""})


def url_problem(url: str) -> str | None:
    """The problem with an Apprise URL, or None. Shows no part of the URL, which may be a secret."""
    try:
        load(url)
    except ValueError as error:
        return str(error)
    return None


def url_advice(url: str) -> str | None:
    """A recommendation for a valid URL, or None."""
    try:
        plugin = load(url)
    except ValueError:
        return None
    if (number := recipients(plugin)) > 1:
        return (
            f"it has {number} recipients or channels. Give each one a target of its own: when one fails, the others "
            "receive the message again"
        )
    return reasons.url_hint(plugin)


def listen() -> None:
    """Enable capturing of Apprise's log lines without printing them: below WARNING they contain whole URLs.

    The same for urllib3, which logs the path of each request. Call this before each use, because `logging.config`
    disables unknown loggers.
    """
    log.disabled = False
    log.setLevel(logging.DEBUG)
    log.propagate = logging.getLogger("urllib3").propagate = False


def load(url: str) -> NotifyBase:
    """The plugin for a URL. Raises ValueError with a reason that is safe to show."""
    listen()
    with _complaints() as complaints:
        if len(parse_urls(url)) > 1:  # type: ignore[no-untyped-call]
            raise ValueError("it contains several URLs; write one target for each")
        parts = url_to_dict(url)  # type: ignore[no-untyped-call]
        if parts is None:
            raise ValueError(_unreadable(url))
        if refusal := _refused_option(parts):
            raise ValueError(refusal)
        plugin = apprise.Apprise.instantiate(dict(parts), asset=_asset())
    if plugin is None:
        raise ValueError(_unreadable(url))
    if any(line.startswith("Dropped invalid") for line in complaints):
        raise ValueError("one of its recipients is not in a form that the service can reach")
    if mail.sends(plugin) and (problem := mail.problem(plugin)):
        raise ValueError(problem)
    if plugin.socket_read_timeout == type(plugin).socket_read_timeout:  # the URL does not set it
        plugin.socket_read_timeout = PATIENCE
    return plugin


def recipients(plugin: NotifyBase) -> int:
    """The number of recipients or channels in a URL, as far as Apprise counts them."""
    listed = getattr(plugin, "targets", None)
    copies = sum(len(getattr(plugin, more, ())) for more in ("cc", "bcc"))
    return max(len(plugin), len(listed) if isinstance(listed, list | tuple | set) else 0) + copies


def _asset() -> apprise.AppriseAsset:
    """Settings without remote images, redirects, emoji conversion, disk storage and Apprise's own threads."""
    return apprise.AppriseAsset(
        app_id="gemwatch",
        app_desc="gemwatch",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        interpret_emojis=False,
        http_redirects=False,
        service_timeout=0,
        body_format=apprise.NotifyFormat.TEXT,
        allow_templates=False,
        timezone="UTC",
        language="en",
    )


def _refused_option(parts: Mapping[str, Any]) -> str | None:
    options: Mapping[str, str] = parts.get("qsd") or {}
    for option, does in _REFUSED.items():
        if options.get(option, "").strip().lower() not in _OFF:
            return f"the option {option}= {does}; remove it"
    template = N_MGR[parts["schema"]].template_args.get("template", {})
    if options.get("template") and "Path" in str(template.get("name")):
        return "the option template= reads a file for every message; remove it"
    return None


def _unreadable(url: str) -> str:
    """Names the schema only if Apprise knows it: a mistyped URL may start with a secret."""
    schema = url.partition("://")[0].strip().lower()
    if schema in ("msteams", "teams"):
        return reasons.TEAMS
    if schema not in N_MGR:
        return "it does not begin with a service that Apprise knows, such as slack:// or mailto://"
    if not N_MGR[schema].enabled:
        return f"{schema}:// needs a package or a system that is missing here; see {N_MGR[schema].setup_url}"
    return f"it is not a {schema}:// URL in a form that Apprise reads; see {N_MGR[schema].setup_url}"


@contextmanager
def _complaints() -> Iterator[list[str]]:
    lines: list[str] = []

    class Capture(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    capture = Capture(logging.WARNING)
    log.addHandler(capture)
    try:
        yield lines
    finally:
        log.removeHandler(capture)
