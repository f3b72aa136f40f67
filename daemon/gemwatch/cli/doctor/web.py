"""Can the daemon listen where it should, or does it already?"""

import http.client
import json

from gemwatch.cli.doctor.finding import Finding, ok, problem
from gemwatch.core.settings import WebSettings
from gemwatch.web.http.server import WebError, bind

_PATIENCE = 5.0  # seconds


def finding(web: WebSettings, *, daemon: bool) -> Finding:
    """`daemon`: whether one runs on this configuration's store, so that the port may be its own."""
    if web.host is None:
        return ok("web", "web.listen is off")
    place = f"{web.host}:{web.port}"
    try:
        bind(web.host, web.port).close()
    except WebError as error:
        gemwatch = _is_gemwatch(web.host, web.port)
        if gemwatch and daemon:
            return ok("web", f"the daemon serves {place}")
        found, _, what_to_do = str(error).removeprefix("web: ").partition(". ")
        whose = "; it is a gemwatch with another store" if gemwatch else ""
        return problem("web", f"{found}{whose}", what_to_do.rstrip("."))
    return ok("web", f"{place} is free")


def _is_gemwatch(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE)
    try:
        connection.request("GET", "/healthz")
        return "status" in json.loads(connection.getresponse().read(4096))
    except (OSError, http.client.HTTPException, ValueError, TypeError):
        return False
    finally:
        connection.close()
