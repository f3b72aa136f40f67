"""Apprise URLs: read and checked, with no part of one in any text."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import apprise
from apprise.plugins import url_to_dict
from apprise.plugins.base import NotifyBase
from apprise.utils.parse import parse_urls

from gemwatch.adapters.notify import hints, mail
from gemwatch.adapters.notify.plugins import N_MGR

log = logging.getLogger("apprise")
for silent in (log, logging.getLogger("urllib3")):
    silent.addHandler(logging.NullHandler())  # or Python prints warnings that no handler takes

PATIENCE = 30.0  # seconds; Apprise's 4 would count a slow service as failed, and so send the message twice

# Options that would bypass the outbox, and what each of them does.
_REFUSED = {
    "optional": "reports a failure as a success",
    "retry": "retries by itself; gemwatch already does",
    "wait": "retries by itself; gemwatch already does",
    "redirect": "follows a redirect, after which nobody can tell whether the message arrived",
    "attach": "reads a file for every message",
}
_OFF = frozenset({"no", "false", "off", "0", "0.0", ""})


def url_problem(url: str) -> str | None:
    """What is wrong with an Apprise URL, or None. Shows no part of the URL, which may be a secret."""
    try:
        load(url)
    except ValueError as error:
        return str(error)
    return None


def url_advice(url: str) -> str | None:
    """What would be better about a URL that has no problem, or None."""
    try:
        plugin = load(url)
    except ValueError:
        return None
    if (number := recipients(plugin)) > 1:
        return (
            f"it has {number} recipients or channels. Give each one a target of its own: when one fails, the others "
            "receive the message again"
        )
    return hints.url_hint(plugin)


def listen() -> None:
    """Let Apprise's log lines be captured, and let none of them out: below WARNING they hold whole URLs.

    The same for urllib3, which logs the path of each request. Called before each use, since `logging.config`
    disables loggers that it does not know.
    """
    log.disabled = False
    log.setLevel(logging.DEBUG)
    log.propagate = logging.getLogger("urllib3").propagate = False


def load(url: str) -> NotifyBase:
    """The plugin for a URL. Raises ValueError with a reason that can be shown."""
    listen()
    with _complaints() as complaints:
        if len(parse_urls(url)) > 1:  # type: ignore[no-untyped-call]
            raise ValueError("it holds several URLs; make each of them a target")
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
    if plugin.socket_read_timeout == type(plugin).socket_read_timeout:  # the URL does not say
        plugin.socket_read_timeout = PATIENCE
    return plugin


def recipients(plugin: NotifyBase) -> int:
    """How many recipients or channels a URL holds, as far as Apprise counts them."""
    listed = getattr(plugin, "targets", None)
    copies = sum(len(getattr(plugin, more, ())) for more in ("cc", "bcc"))
    return max(len(plugin), len(listed) if isinstance(listed, list | tuple | set) else 0) + copies


def _asset() -> apprise.AppriseAsset:
    """No images from elsewhere, no redirects, no emoji from text, nothing on disk, no threads of Apprise."""
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
            return f"the option {option}= {does}: take it out"
    template = N_MGR[parts["schema"]].template_args.get("template", {})
    if options.get("template") and "Path" in str(template.get("name")):
        return "the option template= reads a file for every message: take it out"
    return None


def _unreadable(url: str) -> str:
    """Names the schema only if it is a known word: a mistyped URL may begin with a secret."""
    schema = url.partition("://")[0].strip().lower()
    if schema in ("msteams", "teams"):
        return hints.TEAMS
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
