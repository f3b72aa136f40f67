"""What a text says about a token: JSON as the Azure CLI and OAuth print it, or the bare token."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any


def read_token(text: str, now: datetime) -> tuple[str, datetime | None]:
    """The token in a text, and when it ends if that can be known.

    Raises ValueError with a reason that shows nothing of the text.
    """
    text = text.strip()
    if not text:
        raise ValueError("nothing is there")
    if text[0] not in '{["':
        if len(text.split()) > 1:
            raise ValueError("it is neither JSON nor a single word")
        return text, _end_in_jwt(text)
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not whole JSON") from None
    if isinstance(given, str) and given:  # az --query accessToken
        return given, _end_in_jwt(given)
    value = (given.get("accessToken") or given.get("access_token")) if isinstance(given, dict) else None
    if not isinstance(value, str):
        raise ValueError("its JSON has no accessToken")
    return value, _end(given, now) or _end_in_jwt(value)


def _end(given: Mapping[str, Any], now: datetime) -> datetime | None:
    """`expires_on` is the plainest; older CLIs give `expiresOn` only, in local time without saying so."""
    seconds = _number(given.get("expires_in"))
    return (
        _from_timestamp(given.get("expires_on"))
        or _from_iso(given.get("expires_on"))
        or _from_iso(given.get("expiresOn"))
        or (None if seconds is None else _from_timestamp(now.timestamp() + seconds))
    )


def _end_in_jwt(token: str) -> datetime | None:
    """The end that a signed token states. It is not verified: the API does that."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 (header, claims, signature)
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return _from_timestamp(claims.get("exp")) if isinstance(claims, dict) else None


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
