"""A GEM API whose jobs live by the clock, in a process of its own: thousands of them, at a sped-up pace."""

# ruff: noqa: T201 (a script's output)

import json
import random
import sys
import time
from threading import Lock

from support.gem import document
from support.http import Handler, Server

WAITS, RUNS = 10.0, 25.0  # seconds at the most


class LivingGem(Server):
    """A job is born when it is asked for the first time. A few answers in a hundred make no sense."""

    def __init__(self, seed: int) -> None:
        self._chance, self._lock = random.Random(seed), Lock()
        self._born: dict[int, tuple[float, float, float, str]] = {}
        gem = self

        class GemHandler(Handler):
            def do_GET(self) -> None:
                status, body = gem._answer(int(self.path.rpartition("/")[2]))
                self.answer(status, body, {"Content-Type": "application/json"})

        super().__init__(GemHandler)

    def _answer(self, job_id: int) -> tuple[int, bytes]:
        now = time.monotonic()
        with self._lock:
            if self._chance.random() < 0.02:
                return self._chance.choice([(500, b"busy"), (200, b"<html>"), (404, b"{}"), (200, b"null")])
            if job_id not in self._born:
                starts = now + self._chance.uniform(0, WAITS)
                ends = starts + self._chance.uniform(0, RUNS)
                self._born[job_id] = now, starts, ends, self._chance.choice(["SUCCESS", "FAILED"])
            _, starts, ends, end = self._born[job_id]
        status = "REQUESTED" if now < starts else "IN_PROGRESS" if now < ends else end
        return 200, json.dumps(document(job_id, status)).encode()


def main() -> None:
    """Say where it listens, and serve until standard input ends."""
    with LivingGem(int(sys.argv[1])) as gem:
        print(gem.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
