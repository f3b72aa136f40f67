"""Tokens in the forms that they come in."""

import base64
import json
from datetime import datetime
from typing import Any


def jwt(**claims: Any) -> str:
    parts = (json.dumps({"alg": "none"}).encode(), json.dumps(claims).encode(), b"signature")
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def az_json(token: str, expires_on: datetime) -> str:
    return json.dumps({"accessToken": token, "expires_on": int(expires_on.timestamp()), "tokenType": "Bearer"})
