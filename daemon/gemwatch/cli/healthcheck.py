"""`gemwatch healthcheck`: asks a running daemon how it is, for a container's HEALTHCHECK or a script."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli.common import Config, config_path, fail

if TYPE_CHECKING:
    from gemwatch.core.settings import WebSettings

_PATIENCE = 5.0  # seconds
_MOST_BYTES = 64 * 1024

Url = Annotated[
    str | None, typer.Option("--url", help="Where the daemon listens: http://HOST:PORT. Default: as configured.")
]


def healthcheck(context: typer.Context, url: Url = None, config: Config = None) -> None:
    """Ask the daemon on this machine whether polls and deliveries make progress: 0 yes, 1 no."""
    host, port = _named(url) if url is not None else _configured(config_path(context, config))
    trouble = _failure(host, port)
    if trouble is not None:
        fail(trouble)
    typer.echo("ok")


def _named(url: str) -> tuple[str, int]:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or parts.scheme != "http":
        raise typer.BadParameter("write http://HOST:PORT", param_hint="--url")
    return host, port or 80


def _configured(path: Path) -> tuple[str, int]:
    """The address to ask. Where there is none the code is 1 too: to a container engine others mean nothing."""
    import ipaddress

    web = _web(path)
    if web.host is None:
        fail("web.listen is off, so there is nobody to ask")
    if web.port == 0:
        fail("web.listen has port 0, any free one: name the one that was taken with --url")
    try:
        address = ipaddress.ip_address(web.host)
    except ValueError:
        return web.host, web.port
    if address.is_unspecified:  # it listens on every address, and so on loopback
        return ("127.0.0.1" if address.version == 4 else "::1"), web.port  # noqa: PLR2004
    return web.host, web.port


def _web(path: Path) -> "WebSettings":
    """What the configuration says of the server, whatever else is in it.

    A daemon that refused an edit goes on with the last good configuration, and is no less healthy for it; where
    the edit leaves no way to tell, the default is asked.
    """
    from gemwatch.adapters.config import schema
    from gemwatch.adapters.config.document import Reader
    from gemwatch.core.settings import WebSettings

    main = Reader(path.parent, os.environ).document(path, ("watch",))
    document = main.value if main is not None else None
    if not isinstance(document, dict):
        return WebSettings()
    web = document.get("web")
    listen = {key: value for key, value in web.items() if key == "listen"} if isinstance(web, dict) else {}
    # The token may be in a variable that only the daemon has.
    shorten = {"api": {"key": "unused"}, "web": {"token": "not-looked-at-here", **listen}}
    keys, _ = schema.check(shorten, lambda _: None)
    return WebSettings() if keys is None else schema.settings(keys, path.parent.absolute(), ()).web


def _failure(host: str, port: int) -> str | None:
    """Why the daemon is not well; None when it is."""
    import http.client
    import json

    # http.client knows no proxies: a daemon on this machine is never asked by way of another one.
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        page = json.loads(answer.read(_MOST_BYTES))
        status, reason = page["status"], page.get("reason")
    except TimeoutError:
        return f"the daemon at {host}:{port} does not answer within {_PATIENCE:.0f} s"
    except OSError as error:
        return f"no daemon answers at {host}:{port}: {error.strerror or error}"
    except (http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError):
        return f"what listens at {host}:{port} is not gemwatch"
    finally:
        connection.close()
    return None if status == "ok" else f"{status}: {reason}"
