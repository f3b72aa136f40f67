"""A sample event of each kind, for trying out targets."""

from datetime import datetime
from typing import Any, get_type_hints

from gemwatch.core.events import Event
from gemwatch.core.job import Status
from gemwatch.core.kinds import FACTS, EventKind
from gemwatch.core.sample_job import sample_job
from gemwatch.core.traits import Example, Scope

_NAME = "a test of gemwatch"


def sample_event(kind: EventKind, at: datetime) -> Event:
    """A plausible event of this kind at that time, with the example values that its facts declare."""
    facts = FACTS[kind](**_examples(FACTS[kind], at))
    if kind.traits.scope is not Scope.JOB:
        return Event(at=at, facts=facts)
    return Event(at=at, facts=facts, job_id=sample_job(Status.SUCCESS).job_id, name=_NAME)


def _examples(facts: type, at: datetime) -> dict[str, Any]:
    return {
        name: example.value if example.ago is None else at - example.ago
        for name, hint in get_type_hints(facts, include_extras=True).items()
        for example in getattr(hint, "__metadata__", ())
        if isinstance(example, Example)
    }
