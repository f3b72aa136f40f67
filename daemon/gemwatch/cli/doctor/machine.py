"""What the environment says: proxies, CA files, the time zone."""

import os
import ssl
import time
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies
from zoneinfo import ZoneInfo

from gemwatch.cli.doctor.finding import Finding, ok, problem, warning

_FOR_THE_API, _FOR_THE_REST = "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"


def findings(environ: Mapping[str, str]) -> Iterator[Finding]:
    yield _proxies()
    yield from _authorities(environ)
    yield _zone(environ.get("TZ", ""))


def _proxies() -> Finding:
    """Which proxies apply, without the users and passwords that their URLs may hold."""
    named = {scheme: url for scheme, url in getproxies().items() if scheme != "no"}
    shown = ", ".join(f"{scheme} by way of {_place(url)}" for scheme, url in sorted(named.items()))
    return ok("proxies", shown or "none in the environment")


def _place(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "a URL that cannot be read"
    return f"{parts.scheme}://{parts.hostname or '?'}{port}"


def _authorities(environ: Mapping[str, str]) -> Iterator[Finding]:
    named = {name: environ[name] for name in (_FOR_THE_API, _FOR_THE_REST) if environ.get(name)}
    unusable = {name: why for name, place in named.items() if (why := _unusable(place)) is not None}
    for name, why in unusable.items():
        yield problem("CA file", f"{name}={named[name]}: {why}", "Name a file of CA certificates in PEM form")
    if len(named) == 1:
        has, lacks = (name for name in sorted((_FOR_THE_API, _FOR_THE_REST), key=lambda name: name not in named))
        remedy = f"Set both to the same file: {_FOR_THE_API} is for the API, {_FOR_THE_REST} for notifications and az"
        yield warning("CA file", f"{has} is set and {lacks} is not", remedy)
    elif not unusable:
        yield ok("CA file", named.get(_FOR_THE_API, "as they come with gemwatch"))


def _unusable(place: str) -> str | None:
    try:
        if not os.path.isdir(place):  # noqa: PTH112 (REQUESTS_CA_BUNDLE may also name a folder)
            ssl.create_default_context(cafile=place)
    except ssl.SSLError:
        return "holds no certificates"
    except OSError as error:
        return os.strerror(error.errno or 0).lower()
    return None


def _zone(named: str) -> Finding:
    if named and not _is_known(named):
        remedy = "Write UTC, or a name such as Europe/Amsterdam (the package tzdata has them)"
        return warning("time zone", f"TZ={named} names no zone that this system knows: UTC is used", remedy)
    advice = "" if time.tzname[0] == "UTC" else "; for the daemon TZ=UTC is best"
    offset = time.strftime("%z")
    return ok("time zone", f"{time.tzname[time.localtime().tm_isdst > 0]} (UTC{offset[:3]}:{offset[3:]}){advice}")


def _is_known(zone: str) -> bool:
    """Whether the system takes a name as it is meant; with a number in it, it is a rule and not a name."""
    if zone in {"UTC", "GMT"} or any(c.isdigit() for c in zone) or zone.startswith((":", "/")):
        return True
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        return False
    return True
