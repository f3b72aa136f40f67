"""Counts every message that arrives, in which life of the program, and can end that life at a chosen moment."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from support.http import Handler, Server

_EVENT_ID = re.compile(r"\bgw-(\d+)\b")


@dataclass(frozen=True, kw_only=True)
class Receipt:
    life: int
    target: str
    title: str
    body: str

    @property
    def event_ids(self) -> frozenset[int]:
        return frozenset(int(number) for number in _EVENT_ID.findall(self.body))


class Sink(Server):
    """`in_hand` is called with a message before the answer, `answered` right after it, `read` once it was read."""

    def __init__(self, port: int = 0) -> None:
        self.life = 0
        self.receipts: list[Receipt] = []
        self.refuses: Callable[[], bool] = lambda: False  # asked for each message: True answers 503
        self.in_hand: Callable[[Receipt], None] | None = None
        self.answered: Callable[[Receipt], None] | None = None
        self.read: Callable[[Receipt], None] | None = None
        sink = self

        class SinkHandler(Handler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sent = json.loads(body)
                receipt = Receipt(
                    life=sink.life, target=self.path.strip("/"), title=sent["title"], body=sent["message"]
                )
                if sink.refuses():
                    self.answer(503, b"not now")
                    return
                sink.receipts.append(receipt)
                if sink.in_hand is not None:
                    sink.in_hand(receipt)
                self.answer(200, b"ok", {"Connection": "close"})
                if sink.answered is not None:
                    sink.answered(receipt)
                if sink.read is not None:
                    self.rfile.read(1)  # nothing more comes: the client closes when it has what it waits for
                    sink.read(receipt)

        super().__init__(SinkHandler, port)

    def target_url(self, name: str) -> str:
        return f"json://127.0.0.1:{self.port}/{name}"
