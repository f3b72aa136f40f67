"""Reads `store.url`: a SQLite file or a PostgreSQL database."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from gemwatch.adapters.config.bad_value import BadValueError, quoted
from gemwatch.adapters.config.values import text
from gemwatch.core.settings import Place, Postgresql

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
