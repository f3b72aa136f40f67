"""Receives messages over HTTP and has one finished job: `inbox.py PORT_FILE MESSAGES_FILE`.

Each message becomes a line of the file: path and title.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Inbox(BaseHTTPRequestHandler):
    """Accepts every message, and answers for a job as the API does."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with Path(sys.argv[2]).open("a") as messages:
            messages.write(f"{self.path.rstrip('/')} {body['title']}\n")
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        number = self.path.rpartition("/")[2]
        job = {"job_id": int(number), "status": "SUCCESS"} if number.isdecimal() else None
        self.send_response(200 if job else 404)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(job).encode())

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Inbox)
    Path(sys.argv[1]).write_text(str(server.server_port))
    server.serve_forever()
