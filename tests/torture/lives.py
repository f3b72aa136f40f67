"""The jobs of a crash run: what the API shows of each, and what must have been reported about it."""

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from support.gem import Answer, document

Step = str | dict[str, Any] | Answer

JOBS_A_LIFE = 4
_ENDS = ("SUCCESS", "FAILED")


@dataclass(frozen=True, kw_only=True)
class Life:
    """One job. The last step is shown for ever, so its end is always shown for long enough."""

    job_id: int
    steps: tuple[Step, ...]

    @property
    def group(self) -> str:
        """The jobs of one life of the program are a group."""
        return f"life {(self.job_id - 1) // JOBS_A_LIFE}"

    @property
    def shown(self) -> list[str]:
        """The statuses that the API gives, in order, without those in answers that make no sense."""
        return [step for step in self.steps if isinstance(step, str)]

    @property
    def end(self) -> str:
        return self.shown[-1]


def lives(chance: random.Random) -> Iterator[Life]:
    """An endless row of jobs; every third has ended before its first poll."""
    for job_id in itertools.count(1):
        end = chance.choice(_ENDS)
        steps: list[Step] = [end]
        if job_id % 3:
            steps = ["REQUESTED", *["IN_PROGRESS"] * chance.randrange(3), end]
        if job_id % 3 == 1:
            steps.insert(chance.randrange(len(steps)), nonsense(job_id, chance))
        yield Life(job_id=job_id, steps=tuple(steps))


def nonsense(job_id: int, chance: random.Random) -> Step:
    """An answer that says nothing about the job."""
    choices: list[Step] = [
        Answer(status=500),
        Answer(status=503, body=b"<html>busy</html>", headers={"Content-Type": "text/html"}),
        Answer(status=404),
        Answer(body=b"<html>hello</html>"),
        Answer(body=json.dumps(document(job_id, "SUCCESS")).encode()[:-9]),
        document(job_id + 500_000, "FAILED"),
        {**document(job_id, "SUCCESS"), "status": None},
    ]
    return chance.choice(choices)
