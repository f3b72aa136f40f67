"""The style sheet, the scripts and the icons: a handful of small files, kept in memory.

They stand below a folder that is named by what they hold, so a browser keeps them for good and a new version is asked
for by another name. Scripts name each other relatively and so stay within one version.
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
        """Where a page finds this file. Raises KeyError where there is none."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._version}/{name}"

    def route(self) -> Route:
        return Route("/static/{version}/{name}", self._answer)

    async def _answer(self, request: Request) -> Response:
        """An older version than ours is asked for by a page that an update overtook: it gets what there is."""
        name = request.path_params["name"]
        if name not in self._files:
            raise HTTPException(404)
        lasts = _FOR_GOOD if request.path_params["version"] == self._version else "no-cache"
        kind = _KINDS[Path(name).suffix]
        return Response(self._files[name], media_type=kind, headers={"Cache-Control": lasts})
