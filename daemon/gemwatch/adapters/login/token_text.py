"""What a text says about a token: JSON as the Azure CLI and OAuth print it, or the bare token."""

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
    """What a text gives. `tenant` and `application`: whom the token belongs to, as far as it says."""

    value: str = field(repr=False)
    expires_at: datetime | None = None
    tenant: str | None = None
    application: bool = False


def read_token(text: str, now: datetime) -> Given:
    """The token in a text. Colours, warnings before it and a byte order mark, as some versions of az print, are
    passed over.

    Raises ValueError with a reason that shows nothing of the text.
    """
    text = _cleaned(text)
    if not text:
        raise ValueError("nothing is there")
    if text[0] not in '{["':
        if len(text.split()) > 1:
            raise ValueError("it is neither JSON nor a single word")
        return _checked(text, None)
    try:
        given, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not whole JSON") from None
    if isinstance(given, str) and given:  # az --query accessToken
        return _checked(given, None)
    value = (given.get("accessToken") or given.get("access_token")) if isinstance(given, dict) else None
    if not isinstance(value, str):
        raise ValueError("its JSON has no accessToken")
    return _checked(value, _end(given, now), given.get("tenant"))


def _checked(value: str, expires_at: datetime | None, tenant: object = None) -> Given:
    if value.lower() in _NO_TOKENS:
        raise ValueError("it is the word for nothing, and no token")
    claims = _claims(value)
    tenant = tenant or claims.get("tid")
    return Given(
        value=value,
        expires_at=expires_at or _from_timestamp(claims.get("exp")),
        tenant=tenant if isinstance(tenant, str) and _TENANT.fullmatch(tenant) else None,
        application=claims.get("idtyp") == "app" and not claims.get("scp"),
    )


def _cleaned(text: str) -> str:
    """The text from its JSON on, or without its warnings where it has none."""
    text = _ESCAPES.sub("", text.replace("\ufeff", "")).strip()
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if line.lstrip().startswith("{")), None)
    if start is not None:
        return "\n".join(lines[start:]).strip()
    return "\n".join(line for line in lines if not _WARNING.match(line)).strip()


def _end(given: Mapping[str, Any], now: datetime) -> datetime | None:
    """`expires_on` is the plainest; older CLIs give `expiresOn` only, in local time without saying so."""
    seconds = _number(given.get("expires_in"))
    return (
        _from_timestamp(given.get("expires_on"))
        or _from_iso(given.get("expires_on"))
        or _from_iso(given.get("expiresOn"))
        or (None if seconds is None else _from_timestamp(now.timestamp() + seconds))
    )


def _claims(token: str) -> Mapping[str, Any]:
    """What a signed token states. It is not verified: the API does that."""
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
        return datetime.fromisoformat(value).astimezone(UTC)  # takes a time without an offset as local
    except (ValueError, OverflowError, OSError):
        return None
