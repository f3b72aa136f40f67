"""Reads a token from a text: the JSON of the Azure CLI or OAuth, or the token itself."""

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

_NO_TOKENS = frozenset({"none", "null", "nil", "undefined", "true", "false", "n/a"})
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_WARNING = re.compile(r"\s*(?:warn(?:ing)?|deprecat\w*|note|info)\b", re.IGNORECASE)
_TENANT = re.compile(r"[A-Za-z0-9.-]{1,100}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A token from a text. `tenant` and `application`: the owner of the token, if the text names them."""

    value: str = field(repr=False)
    expires_at: datetime | None = None
    tenant: str | None = None
    application: bool = False


def read_token(text: str, now: datetime) -> Given:
    """The token in a text. Ignores what some versions of az print: colours, warnings before the token, a byte order
    mark.

    Raises ValueError with a reason that does not quote the text.
    """
    text = _cleaned(text)
    if not text:
        raise ValueError("it is empty")
    if text[0] not in '{["':
        if len(text.split()) > 1:
            raise ValueError("it is neither JSON nor a single word")
        return _checked(text, None)
    try:
        given, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        raise ValueError("its JSON is incomplete or invalid") from None
    if isinstance(given, str) and given:  # az --query accessToken
        return _checked(given, None)
    value = (given.get("accessToken") or given.get("access_token")) if isinstance(given, dict) else None
    if not isinstance(value, str):
        raise ValueError("its JSON has no accessToken")
    return _checked(value, _end(given, now), given.get("tenant"))


def _checked(value: str, expires_at: datetime | None, tenant: object = None) -> Given:
    if value.lower() in _NO_TOKENS:
        raise ValueError("it is a word such as null or None, not a token")
    claims = _claims(value)
    tenant = tenant or claims.get("tid")
    return Given(
        value=value,
        expires_at=expires_at or _from_timestamp(claims.get("exp")),
        tenant=tenant if isinstance(tenant, str) and _TENANT.fullmatch(tenant) else None,
        application=claims.get("idtyp") == "app" and not claims.get("scp"),
    )


def _cleaned(text: str) -> str:
    """The text from the start of its JSON, or the text without warnings if there is no JSON."""
    text = _ESCAPES.sub("", text.replace("\ufeff", "")).strip()
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.lstrip().startswith("{")), None)
    if start is not None:
        return "\n".join(lines[start:]).strip()
    return "\n".join(line for line in lines if not _WARNING.match(line)).strip()


def _end(given: Mapping[str, Any], now: datetime) -> datetime | None:
    """Prefers `expires_on`. Older CLIs print only `expiresOn`, in local time without an offset."""
    seconds = _number(given.get("expires_in"))
    return (
        _from_timestamp(given.get("expires_on"))
        or _from_iso(given.get("expires_on"))
        or _from_iso(given.get("expiresOn"))
        or (None if seconds is None else _from_timestamp(now.timestamp() + seconds))
    )


def _claims(token: str) -> Mapping[str, Any]:
    """The claims of a signed token, not verified: the API does that."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 (header, claims, signature)
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _from_timestamp(value: Any) -> datetime | None:
    seconds = _number(value)
    try:
        return None if seconds is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        return None


def _from_iso(value: Any) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)  # reads a time without an offset as local time
    except (ValueError, OverflowError, OSError):
        return None
