"""The quality gate: judges a SUCCESS by its numbers and by the previous run on the same input."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gemwatch.core.events import Event
from gemwatch.core.job import JobDetails
from gemwatch.core.kinds import FailedFacts, NeedsReviewFacts, SuccessFacts
from gemwatch.core.runs import PreviousRun, RequestChange, Run
from gemwatch.core.text.formatting import share

OFF = "off"  # for one watch: no gate, despite the general one
_ROUNDING = 1e-9  # tolerance, so that a drop of exactly the limit passes
Bar = float | str | None  # a share of 1, OFF, or None: not set


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The requirements for a good result, general or for one watch.

    `matched_drop_max` is in points of the matched share (0.05: from 86 to 81 %), `roads_change_max` is a share of
    the previous number of roads.
    """

    matched_min: Bar = None
    matched_drop_max: Bar = None
    roads_change_max: Bar = None

    def over(self, general: "Gate") -> "Gate":
        """This gate, with missing values from the general one."""
        return Gate(
            matched_min=general.matched_min if self.matched_min is None else self.matched_min,
            matched_drop_max=general.matched_drop_max if self.matched_drop_max is None else self.matched_drop_max,
            roads_change_max=general.roads_change_max if self.roads_change_max is None else self.roads_change_max,
        )

    def as_json(self) -> dict[str, Any] | None:
        """The configured values; None if there are none."""
        return {field.name: bar for field in fields(self) if (bar := getattr(self, field.name)) is not None} or None

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Gate":
        """Ignores a bar that only a newer version knows."""
        return cls(**{field.name: said[field.name] for field in fields(cls) if field.name in said})


def reasons(run: Run, before: Run | None, gate: Gate) -> Iterator[str]:
    """The reasons to review a SUCCESS before use. Missing numbers are not a reason."""
    if isinstance(gate.matched_min, float) and run.matched is not None and run.matched < gate.matched_min:
        yield f"matched {share(run.matched)}, below the floor of {share(gate.matched_min)}"
    if before is not None:
        yield from _fewer_matched(run.matched, before.matched, gate.matched_drop_max)
        yield from _other_roads(run.roads, before.roads, gate.roads_change_max)


def _fewer_matched(now: float | None, before: float | None, most: Bar) -> Iterator[str]:
    if isinstance(most, float) and now is not None and before is not None and before - now > most + _ROUNDING:
        yield f"matched {share(now)}, {(before - now) * 100:.1f} points less than the {share(before)} before"


def _other_roads(now: int | None, before: int | None, most: Bar) -> Iterator[str]:
    if isinstance(most, float) and now is not None and before and abs(now - before) > (most + _ROUNDING) * before:
        how = "more" if now > before else "fewer"
        yield f"{now:,} roads, {share(abs(now / before - 1))} {how} than the {before:,} before"


def compared(run: Run, before: Run) -> PreviousRun:
    """The previous run, in the form for a message about this one."""
    return PreviousRun(
        job_id=before.job_id,
        ended_at=before.ended_at,
        matched=before.matched,
        roads=before.roads,
        kilometres=before.kilometres,
        ran=before.ran,
        changed=tuple(_changes(run, before)),
    )


def judged(event: Event, run: Run, before: Run | None, gate: Gate | None) -> Event:
    """The event of an end, compared with the last SUCCESS on the same input. It needs review if the gate objects."""
    facts, previous = event.facts, None if before is None else compared(run, before)
    if isinstance(facts, FailedFacts):
        return replace(event, facts=replace(facts, ran=run.ran, last_success=previous))
    if not isinstance(facts, SuccessFacts):
        return event
    why = () if gate is None else tuple(reasons(run, before, gate))
    unjudged = () if gate is None else tuple(_unjudged(facts.job, gate))
    if not why:
        return replace(event, facts=replace(facts, previous=previous, unjudged=unjudged))
    review = NeedsReviewFacts(
        job=facts.job,
        before=facts.before,
        last_seen_before=facts.last_seen_before,
        running_since=facts.running_since,
        previous=previous,
        reasons=why,
        unjudged=unjudged,
    )
    return replace(event, facts=review)


def _unjudged(job: JobDetails, gate: Gate) -> Iterator[str]:
    """Why parts of the gate could not be applied although GEM sent a number."""
    wants_matched = isinstance(gate.matched_min, float) or isinstance(gate.matched_drop_max, float)
    if wants_matched and job.statistics is not None and "matched" in job.statistics.unclear:
        yield "GEM's matched ratio is in a form that gemwatch cannot read, so the gate on it was not applied"


def _changes(run: Run, before: Run) -> Iterator[RequestChange]:
    """The differences between the requests, which may explain different numbers."""
    for what, old, new in (
        ("Overture release", before.overture_release, run.overture_release),
        ("Orbis version", before.orbis_version, run.orbis_version),
        ("confidence threshold", before.confidence_threshold, run.confidence_threshold),
    ):
        if old != new:
            earlier, later = ("none" if value is None else str(value) for value in (old, new))
            yield RequestChange(what=what, before=earlier, now=later)
