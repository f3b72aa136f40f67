"""A real inbox for messages: Apprise's `json://` posts to it over HTTP."""

import json
import re
import threading
from collections import Counter
from dataclasses import dataclass

from support.http import Handler, Server

_SUCCESS = re.compile(r"\bSUCCESS: job (\d+)\b")


@dataclass(frozen=True, kw_only=True)
class Message:
    path: str
    title: str
    body: str


class Inbox(Server):
    """`target_url("team")` is an Apprise URL; `fails_with` answers that status while it is set."""

    def __init__(self, port: int = 0) -> None:
        self.messages: list[Message] = []
        self.refused = 0
        self.fails_with: int | None = None
        self.hold: threading.Event | None = None  # answers only once this is set
        inbox = self

        class InboxHandler(Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if inbox.hold is not None:
                    inbox.hold.wait()
                if inbox.fails_with is not None:
                    inbox.refused += 1
                    self.answer(inbox.fails_with, b"no")
                    return
                sent = json.loads(body)
                inbox.messages.append(Message(path=self.path, title=sent["title"], body=sent["message"]))
                self.answer(200, b"ok")

        super().__init__(InboxHandler, port)

    def target_url(self, name: str = "team") -> str:
        return f"json://127.0.0.1:{self.port}/{name}"

    def reported(self, name: str) -> Counter[int]:
        """How many messages reported the success of each job there, alone or in a summary."""
        texts = [f"{m.title}\n{m.body}" for m in list(self.messages) if m.path.strip("/") == name]
        return Counter(job_id for text in texts for job_id in {int(one) for one in _SUCCESS.findall(text)})

    def titles(self, name: str | None = None) -> list[str]:
        return [m.title for m in list(self.messages) if name is None or m.path.strip("/") == name]
