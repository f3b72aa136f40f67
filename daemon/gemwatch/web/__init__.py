"""The HTTP server: health, metrics, the JSON API and the pages. What is served is put together in `site.py`."""

from gemwatch.web.server import Web, WebError, bind

__all__ = ["Web", "WebError", "bind"]
