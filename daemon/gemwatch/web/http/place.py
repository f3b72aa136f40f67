"""Where browsers find the pages: the path of `web.public_url`, and what it means for cookies.

Links are made from the configuration, never from a Host header, which is the client's to choose. A reverse proxy may
strip the path or forward it: both work.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """`base` is in front of every link: empty, or a path such as `/gem`."""

    base: str = ""
    secure: bool = False

    @classmethod
    def of(cls, public_url: str | None) -> "Mount":
        parts = urlsplit(public_url or "")
        return cls(base=parts.path.rstrip("/"), secure=parts.scheme == "https")

    @property
    def cookie(self) -> str:
        """The session cookie's name.

        Browsers take these prefixes only from https, and `__Host-` only for a whole host: no other host of the same
        domain can set one.
        """
        if not self.secure:
            return "gemwatch"
        return "__Secure-gemwatch" if self.base else "__Host-gemwatch"

    @property
    def cookie_path(self) -> str:
        return self.base or "/"

    def stripping(self, app: ASGIApp) -> ASGIApp:
        """The application at this place and, for a proxy that strips the path, also at the root."""
        base, raw_base = self.base, self.base.encode()
        if not base:
            return app

        async def placed(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http" and (scope["path"] == base or scope["path"].startswith(f"{base}/")):
                raw = scope["raw_path"].removeprefix(raw_base)
                scope = {**scope, "path": scope["path"][len(base) :] or "/", "raw_path": raw or b"/"}
            await app(scope, receive, send)

        return placed
