"""`gemwatch healthcheck`: asks a running daemon how it is, for a container's HEALTHCHECK or a script.

It runs all day long, so it imports next to nothing: no typer, no pydantic, no HTTP client, and YAML only where the
address is not written in the plainest way.
"""

import os
import re
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

_PATIENCE = 5.0  # seconds
_MOST_BYTES = 64 * 1024
_LARGEST_CONFIG = 16 << 20  # bytes, as for all commands
_DEFAULT = ("127.0.0.1", 8042)
# The next piece of a mapping in flow style, after blanks and comments. Anchors, tags and the like match nothing.
_PIECE = re.compile(
    r"""(?:\s|(?<=\s)\#[^\n]*)*
    (?:(?P<mark>[{}\[\],:])|"(?P<double>[^"\\]*(?:\\.[^"\\]*)*)"|'(?P<single>[^']*)'
    |(?P<plain>[\w./~+-](?:[^\s{}\[\],:]|:(?=[^\s{}\[\],])|[ ]+(?=[^\s{}\[\],:\#]))*))""",
    re.VERBOSE | re.DOTALL,
)
_LISTEN = re.compile(r"off|[\w.\[\]:-]+:\d+")
_URL_FORM = "--url: write http://HOST:PORT"

Options = dict[str, str]


def plain_options(arguments: Sequence[str]) -> Options | None:
    """The options of a plain `gemwatch [--config FILE] healthcheck [--url URL] [--config FILE]`.

    None for every other command, and for what only the whole command line can answer, such as `--help`.
    """
    found: Options = {}
    words, names = list(arguments), {"-c": "config", "--config": "config", "--url": "url"}
    seen = False
    while words:
        word = words.pop(0)
        if word == "healthcheck" and not seen:
            seen = True
            continue
        option, given, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if option not in names or (option == "--url" and not seen) or not (given or words):
            return None
        found[names[option]] = value if given else words.pop(0)
    return found if seen else None


def examine(options: Options) -> int:
    """Ask, say what came of it, and return the exit code."""
    if (url := options.get("url")) is not None:
        address = _named(url)
        if address is None:
            return _complain(_URL_FORM, 2)
    else:
        from gemwatch.adapters.config.places import NoConfigError, find

        try:
            path = find(Path(options["config"]) if "config" in options else None, os.environ)
        except NoConfigError as error:
            return _complain(str(error), 2)
        configured = listen_address(path)
        if isinstance(configured, str):
            return _complain(configured, 1)  # not 2: to a container engine other codes mean nothing
        address = configured
    failure = failure_of(*address)
    if failure is not None:
        return _complain(failure, 1)
    with suppress(OSError):  # the exit code is the answer, whether or not this can be written
        os.write(1, b"ok\n")
    return 0


def _complain(sentence: str, code: int) -> int:
    from gemwatch.cli.output.streams import complain

    complain(sentence)
    return code


def _named(url: str) -> tuple[str, int] | None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port or 80) if host and parts.scheme == "http" else None


def listen_address(path: Path) -> tuple[str, int] | str:
    """The address to ask, or why there is none.

    A daemon that refused an edit keeps the last good configuration and stays healthy. If the edited file does not
    show the address, the default is used.
    """
    listen = _listen(path)
    if listen == "off":
        return "web.listen is off, so there is no daemon to ask"
    host, _, port = listen.rpartition(":") if isinstance(listen, str) else ("", "", "")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:  # noqa: PLR2004 (the largest port)
        return _DEFAULT
    if int(port) == 0:
        return "web.listen has port 0, any free one. Name the port that the daemon took: --url http://127.0.0.1:PORT"
    # It listens on every address, and so on loopback.
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)  # noqa: S104 (compared, not bound)


def _listen(path: Path) -> Any:
    """The value of `web.listen`; None if it cannot be found out."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_CONFIG).decode("utf-8-sig")
    except (OSError, ValueError):
        return None
    if text.lstrip().startswith("{"):
        return _in_flow(text, ["web", "listen"]) or _parsed(text, path.parent)  # JSON too
    section = _section(text)
    flow = _in_flow("\n".join(section).removeprefix("web:"), ["listen"])
    if flow is not None:
        return flow
    for line in section:
        key, _, value = line.strip().partition(": ")
        value = value.partition(" #")[0].strip().strip("'\"")
        if key == "listen" and value == "".join(c for c in value if c.isalnum() or c in ".:-"):
            return value
    if "listen" not in text:
        return None
    return _parsed("\n".join(section), path.parent) or _parsed(text, path.parent)


def _in_flow(text: str, path: list[str]) -> str | None:
    """The value at this path of a mapping in flow style; None if there is none, or only YAML can read it."""
    keys: list[str] = []  # of the mappings and sequences that are open
    word, position, found = "", 0, None
    while (piece := _PIECE.match(text, position)) is not None:
        position, mark = piece.end(), piece["mark"]
        if found is not None:
            return found if mark in (",", "}") and _LISTEN.fullmatch(found) else None
        if mark is None:
            word = piece[piece.lastgroup or 0]
            found = word if keys == path else None
        elif mark in "{[":
            keys.append("")
        elif not keys:
            return None
        elif mark in "}]":
            keys.pop()
        else:
            keys[-1] = word if mark == ":" else ""
    return None


def _section(text: str) -> list[str]:
    """The lines of `web:` in a configuration that is written in the usual way; none where it is not."""
    lines = iter(text.splitlines())
    for line in lines:
        if line.startswith("web:"):
            section = [line]
            for more in lines:
                if more and not more.startswith((" ", "\t", "#")):
                    break
                section.append(more)
            return section
    return []


def _parsed(text: str, folder: Path) -> Any:
    """`web.listen`, with YAML's own rules and our references."""
    import yaml

    try:
        document = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 (both are safe)
        listen = document["web"]["listen"]
    except (yaml.YAMLError, LookupError, TypeError, ValueError, RecursionError):
        return None
    if not isinstance(listen, str) or "$" not in listen:
        return listen
    from gemwatch.adapters.config.references import BadReferenceError, References

    try:
        return References(folder, os.environ).expand(listen)
    except BadReferenceError:
        return None


def failure_of(host: str, port: int) -> str | None:
    """Why the daemon is not healthy; None if it is."""
    import json

    name, deadline, answer = f"[{host}]" if ":" in host else host, time.monotonic() + _PATIENCE, b""
    try:
        # Not through a proxy: a daemon on this machine is asked directly.
        with socket.create_connection((host, port), timeout=_PATIENCE) as connection:
            connection.sendall(f"GET /healthz HTTP/1.0\r\nHost: {name}:{port}\r\n\r\n".encode())
            while len(answer) < _MOST_BYTES and (more := connection.recv(_MOST_BYTES)):
                answer += more
                connection.settimeout(max(0.01, deadline - time.monotonic()))
        page = json.loads(answer.partition(b"\r\n\r\n")[2])
        status, reason = page["status"], page.get("reason")
    except TimeoutError:
        return f"the daemon at {host}:{port} does not answer within {_PATIENCE:.0f} s"
    except OSError as error:
        return f"no daemon answers at {host}:{port}: {error.strerror or error}"
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"what listens at {host}:{port} is not gemwatch"
    return None if status == "ok" else f"{status}: {reason}"
