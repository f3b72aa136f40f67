"""Limits: how long a job may wait and run, and the minimum time of a success."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gemwatch.core.estimates.durations import Durations
from gemwatch.core.estimates.estimate import HIGH, LOW, Basis, Experience
from gemwatch.core.job import JobDetails, Status

MARGIN = 2  # `auto`: twice the time of nine in ten runs, or half the time of one in ten
GRACE = timedelta(seconds=1)  # polls this long after a limit, to find it passed


class LimitWord(StrEnum):
    """Words that a configuration may have in place of a duration."""

    AUTO = "auto"  # from earlier runs, if there are enough
    OFF = "off"  # no limit, despite the general one


Limit = timedelta | LimitWord | None  # None: not set


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The configured limits, general or for one watch."""

    queued: Limit = None
    running: Limit = None
    min_running: Limit = None

    def over(self, general: "Limits") -> "Limits":
        """These limits, with missing values from the general ones."""
        return Limits(
            queued=general.queued if self.queued is None else self.queued,
            running=general.running if self.running is None else self.running,
            min_running=general.min_running if self.min_running is None else self.min_running,
        )

    def as_json(self) -> dict[str, Any] | None:
        """The configured values, durations in seconds; None if there are none."""
        said = {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}
        return {n: v.total_seconds() if isinstance(v, timedelta) else v.value for n, v in said.items()} or None

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Limits":
        """Ignores a limit that only a newer version knows. A word that only that one knows is no limit."""
        known = {field.name for field in fields(cls)} & said.keys()
        return cls(**{name: _limit(said[name]) for name in known})


def _limit(said: str | float) -> Limit:
    if isinstance(said, str):
        return LimitWord(said) if said in tuple(LimitWord) else LimitWord.OFF
    return timedelta(seconds=said)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """An effective limit. `auto` derived it from this number of `runs` with this `basis`."""

    length: timedelta
    runs: int | None = None
    basis: Basis | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Countdown:
    """A bound on the job's present state, and since when the job is in it."""

    since: datetime
    bound: Bound

    @property
    def passes_at(self) -> datetime:
        return self.since + self.bound.length


def countdown(
    limits: Limits,
    job: JobDetails,
    experience: Experience | None,
    *,
    waiting_since: datetime | None,
    running_since: datetime | None,
    last_end: datetime | None = None,
) -> Countdown | None:
    """The countdown for the job's present state; None if that state has no limit.

    A request that is older than the `last_end` of the job belongs to an earlier run.
    """
    requested_at = job.requested_at
    if requested_at is not None and last_end is not None and requested_at <= last_end:
        requested_at = None
    match job.status:
        case Status.REQUESTED:
            limit, since = limits.queued, requested_at or waiting_since
        case Status.IN_PROGRESS:
            limit, since = limits.running, running_since
        case _:
            return None
    if since is None:
        return None
    bound = _bound(limit, HIGH, job, experience)
    return None if bound is None else Countdown(since=since, bound=bound)


def too_fast(limits: Limits, job: JobDetails, experience: Experience | None) -> tuple[timedelta, Bound] | None:
    """GEM's execution time of a SUCCESS and the minimum that it is below; None if it is not too fast."""
    if job.status != Status.SUCCESS or job.statistics is None or job.statistics.execution_time is None:
        return None
    ran, least = job.statistics.execution_time, _bound(limits.min_running, LOW, job, experience)
    return None if least is None or ran >= least.length else (ran, least)


def _bound(limit: Limit, p: float, job: JobDetails, experience: Experience | None) -> Bound | None:
    if isinstance(limit, timedelta):
        return Bound(length=limit)
    if limit is not LimitWord.AUTO or experience is None:
        return None
    outlook = experience.outlook(job)
    if outlook is None:
        return None
    durations = outlook.queued if job.status == Status.REQUESTED else outlook.running
    return None if durations is None else _automatic(durations, p, outlook.basis)


def _automatic(durations: Durations, p: float, basis: Basis) -> Bound:
    edge = durations.quantile(p)
    length = edge * MARGIN if p == HIGH else edge / MARGIN
    return Bound(length=length, runs=durations.count, basis=basis)
