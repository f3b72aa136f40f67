"""The demo's token command: `python -m gemwatch.demo.login URL` replaces `az account get-access-token`."""

import http.client
import json
import sys
from urllib.parse import urlsplit


def fetch(url: str) -> str:
    """The answer of the simulated identity provider. Raises OSError or HTTPException if it does not answer."""
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)  # uses no proxy
    try:
        connection.request("POST", where.path)
        answer = connection.getresponse()
        text = answer.read().decode()
    finally:
        connection.close()
    if answer.status != http.client.OK:
        raise http.client.HTTPException(f"the identity provider answered {answer.status}")
    return json.dumps(json.loads(text), indent=2)


def main() -> int:
    try:
        sys.stdout.write(f"{fetch(sys.argv[1])}\n")
    except (OSError, ValueError, http.client.HTTPException) as error:
        sys.stderr.write(f"ERROR: no token: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
