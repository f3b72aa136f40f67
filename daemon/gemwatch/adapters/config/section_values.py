"""Reads the values that only one section has: of `web`, `discover` and `store`."""

import ipaddress
import re
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from gemwatch.adapters.config.bad_value import BadValueError, quoted
from gemwatch.adapters.config.values import header_text, not_an_example, single_line, text
from gemwatch.core.lists.rules import NAME_FIELDS, unknown_fields
from gemwatch.core.settings import Place, Postgresql, WebSettings

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*)):(?P<port>[0-9]{1,5})")
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_MAKE_ONE = "make one with: openssl rand -hex 24"
_SHORTEST_TOKEN = 16  # characters
_FEWEST_CHARACTERS = 6  # distinct ones; a random token has more
_WORDS = re.compile(
    r"gemwatch|tomtom|passwor[dt]|secret|token|admin|change|letmein|welcome|qwert[yz]|test|web", re.IGNORECASE
)

_OPTIONS = re.compile(r"\?\w+=[^/]*$")
_POSTGRESQL = "postgresql+psycopg://"
_WRITE = (
    "write postgresql+psycopg://USER:PASSWORD@HOST:PORT/DATABASE, with %23, %25, %2F, %3A, %3F and %40 for the "
    "characters # % / : ? and @ in the password"
)
_POSTGRESQL_OPTIONS = (  # of PostgreSQL's client library
    *("sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "channel_binding"),
    *("host", "passfile", "target_session_attrs", "connect_timeout"),
)


def listen(value: Any) -> WebSettings:
    if value == "off":
        return WebSettings(host=None)
    parts = _LISTEN.fullmatch(value) if isinstance(value, str) else None
    if parts is None or int(parts["port"]) > 65_535:  # noqa: PLR2004 (the largest port)
        raise BadValueError("is not an address to listen on; write HOST:PORT, [IPv6]:PORT or off", value)
    if parts["six"]:
        try:
            ipaddress.IPv6Address(parts["six"])
        except ValueError:
            raise BadValueError("is not an IPv6 address and a port; write [::1]:PORT", value) from None
    return WebSettings(host=parts["six"] or parts["host"], port=int(parts["port"]))


def is_reachable(value: Any) -> bool:
    """Whether other machines can reach a server that listens there. False if the value is not an address."""
    try:
        host = listen(value).host
        return host is not None and host.lower() != "localhost" and not ipaddress.ip_address(host).is_loopback
    except BadValueError:
        return False
    except ValueError:
        return True  # a host name: its address is unknown here


def web_token(value: Any) -> str:
    token = not_an_example(header_text(value))
    if len(token) < _SHORTEST_TOKEN:
        raise BadValueError(f"is shorter than {_SHORTEST_TOKEN} characters and could be guessed; {_MAKE_ONE}")
    if _is_weak(token):
        raise BadValueError(f"is easy to guess; {_MAKE_ONE}")
    return token


def _is_weak(token: str) -> bool:
    """Few distinct characters, sequences such as 1234 or aaaa, or mostly common words."""
    steps = [abs(ord(after) - ord(before)) <= 1 for before, after in pairwise(token)]
    rows = 3 * sum(steps) > 2 * len(steps)
    return rows or len(set(token)) < _FEWEST_CHARACTERS or 2 * len(_WORDS.sub("", token)) < len(token)


def host_name(value: Any) -> str:
    """A host name or address as in a `Host` header, without the port."""
    name = text(value).removeprefix("[").removesuffix("]")
    if _HOST_NAME.fullmatch(name):
        return name
    try:
        return str(ipaddress.IPv6Address(name))
    except ValueError:
        what = "is not a host name; write it without scheme and port, such as gemwatch.example.com"
        raise BadValueError(what) from None


def network(value: Any) -> Network:
    """A network such as 10.0.0.0/8, or a single address."""
    address = text(value)
    try:
        return ipaddress.ip_network(address)
    except ValueError as error:
        wanted = (
            "write its first address" if "host bits" in str(error) else "write 10.0.0.0/8, fd00::/8 or one address"
        )
        raise BadValueError(f"is not a network; {wanted}", value) from None


def shell_pattern(value: Any) -> str:
    """A pattern with *, ? and [a-z]."""
    pattern = single_line(value)
    if pattern != pattern.strip():
        raise BadValueError("starts or ends with a space, which no value does")
    return pattern


def name_template(value: Any) -> str:
    """A name that may contain fields of the job in braces."""
    name = single_line(value)
    if unknown := unknown_fields(name):
        fields = ", ".join(f"{{{field}}}" for field in NAME_FIELDS)
        raise BadValueError(f"has an unknown field {{{unknown[0][:20]}}}; known are {fields}")
    return name


def store_place(value: Any) -> Place:
    """The file of a `sqlite:///` URL, in which no character has a special meaning, or a PostgreSQL database."""
    url = text(value)
    if url.startswith(_POSTGRESQL):
        return _postgresql(url)
    path = url.removeprefix("sqlite:///")
    if path == url or not path or path.endswith((":memory:", "/")) or _OPTIONS.search(path):
        raise BadValueError(
            "names no store; write sqlite:///gemwatch.db, sqlite:////absolute/path.db, or "
            "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
        )
    return Path(path)


def _postgresql(url: str) -> Postgresql:
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        options = tuple(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise BadValueError(f"is not a URL of a database; {_WRITE}") from None
    database = unquote(parts.path.removeprefix("/"))
    if not database or "/" in database or parts.fragment:
        raise BadValueError(f"names no database; {_WRITE}")
    for name, _ in options:
        if name not in _POSTGRESQL_OPTIONS:
            raise BadValueError(f"has an option{quoted(name)}; known are {', '.join(_POSTGRESQL_OPTIONS)}")
    return Postgresql(
        database=database,
        host=host,
        port=port,
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        options=options,
    )
