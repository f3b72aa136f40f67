"""Receives test messages over HTTP: `inbox.py PORT_FILE MESSAGES_FILE`. Each becomes a line: path and title."""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Inbox(BaseHTTPRequestHandler):
    """Accepts every message."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Path(sys.argv[2]).open("a") as messages:
            messages.write(f"{self.path.rstrip('/')} {body['title']}\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Inbox)
    Path(sys.argv[1]).write_text(str(server.server_port))
    server.serve_forever()
