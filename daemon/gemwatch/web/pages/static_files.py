"""The style sheet, the scripts and the icons: a handful of small files, kept in memory.

The name of their folder is a hash of their content, so browsers can cache them forever and a new version has
another name. Scripts name each other relatively and so stay within one version.
"""

import hashlib
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

FOLDER = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_GOOD = "public, max-age=31536000, immutable"


class StaticFiles:
    def __init__(self) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted(FOLDER.iterdir()) if path.suffix in _KINDS}
        self._version = hashlib.sha256(repr(self._files).encode()).hexdigest()[:16]

    def address(self, name: str) -> str:
        """The URL of this file. Raises KeyError if it does not exist."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._version}/{name}"

    def route(self) -> Route:
        return Route("/static/{version}/{name}", self._answer)

    async def _answer(self, request: Request) -> Response:
        """A page from before an update requests an older version: it gets the current one."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        lasts = _FOR_GOOD if request.path_params["version"] == self._version else "no-cache"
        kind = _KINDS[Path(name).suffix]
        return Response(self._files[name], media_type=kind, headers={"Cache-Control": lasts})
