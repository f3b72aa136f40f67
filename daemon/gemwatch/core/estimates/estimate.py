"""Estimates when a job ends, with a range, from the durations of earlier runs."""

import math
from array import array
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gemwatch.core.estimates.durations import FEWEST, Durations
from gemwatch.core.job import JobDetails, Status
from gemwatch.core.runs import Run, input_of

LOW, HIGH = 0.1, 0.9  # eight in ten runs end between these
MOST_RUNS = 30  # of one kind: newer runs predict the next one better than older runs
MOST_KEYS = 10_000  # kinds in memory; the ones without a run for the longest time are dropped
MOST_OUTLOOKS = 1_000  # cached; others are computed again when needed


class Basis(StrEnum):
    """What the runs behind an estimate have in common with the job."""

    INPUT = "input"  # the same input file in the same storage, and the job type
    RELEASE = "release"  # the job type and the map release or version
    TYPE = "type"  # only the job type

    @classmethod
    def _missing_(cls, _: object) -> "Basis":
        """For a word of a newer version: all runs of one kind have at least the job type in common."""
        return cls.TYPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One in ten stays below `low`, nine in ten below `high`."""

    low: timedelta
    median: timedelta
    high: timedelta

    @classmethod
    def of(cls, durations: Durations, beyond: timedelta = timedelta()) -> "Range":
        low, median, high = (durations.quantile(p, beyond) for p in (LOW, 0.5, HIGH))
        return cls(low=low, median=median, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long jobs of one kind take: waiting, running, and both together. None for what was seen too rarely.

    `queue` and `run` are the ranges of the first two, computed once for all jobs of the kind.
    """

    basis: Basis
    runs: int
    queued: Durations | None = None
    running: Durations | None = None
    total: Durations | None = None
    queue: Range | None = None
    run: Range | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """When a job is expected to end: the median, with a range that is right in eight of ten cases.

    `overdue`: it has lasted longer than nine in ten. `queue` and `running`: how long similar jobs wait and run.
    """

    ends_at: datetime
    earliest: datetime
    latest: datetime
    runs: int
    basis: Basis
    overdue: bool = False
    queue: Range | None = None
    running: Range | None = None


_Key = tuple[Basis, str | None, str | None, str | None]


class Experience:
    """The durations of successful runs: the latest of each kind, for a limited number of kinds.

    Ten thousand kinds with thirty runs each stay in memory for months, so this stores plain numbers: for each kind
    the hash of its key and one array of seconds, with the waiting and the running time of each run in turn.
    """

    def __init__(self, runs: Iterable[Run] = (), *, kinds: int = MOST_KEYS) -> None:
        """The runs, oldest first. `kinds`: the maximum number of kinds to keep."""
        self._kinds = kinds
        self._spans: OrderedDict[int, array[float]] = OrderedDict()
        self._outlooks: OrderedDict[int, Outlook] = OrderedDict()  # of the most recently used kinds
        for run in runs:
            self.add(run)

    def add(self, run: Run) -> None:
        """Add a run that has just ended. Ignores failed runs and runs of unknown length."""
        if run.status != Status.SUCCESS or run.ran is None or run.ran <= timedelta():
            return
        for key in _keys(run):
            kind = hash(key)
            spans = self._spans.setdefault(kind, array("d"))
            queued = math.nan if run.queued is None else run.queued.total_seconds()
            spans.extend((queued, run.ran.total_seconds()))
            del spans[: -2 * MOST_RUNS]
            self._spans.move_to_end(kind)
            self._outlooks.pop(kind, None)
        while len(self._spans) > self._kinds:
            forgotten, _ = self._spans.popitem(last=False)
            self._outlooks.pop(forgotten, None)

    def replace(self, other: "Experience") -> None:
        """Know exactly what another one knows."""
        self._spans, self._outlooks = other._spans.copy(), OrderedDict()  # noqa: SLF001 (of the same class)

    def outlook(self, job: JobDetails | Run, *, waiting: bool | None = None) -> Outlook | None:
        """The outlook from the most similar kind with enough runs; None if there is none.

        For a job that is `waiting` (by default: according to its status) only runs with a known wait count.
        """
        waiting = job.status == Status.REQUESTED if waiting is None else waiting
        for key in _keys(job):
            outlook = self._outlook(key)
            if outlook is not None and (outlook.total if waiting else outlook.running) is not None:
                return outlook
        return None

    def estimate(self, job: JobDetails, running_since: datetime | None, now: datetime) -> Estimate | None:
        """When a waiting or running job is expected to end, as of `now`."""
        since = _since(job, running_since)
        outlook = None if since is None else self.outlook(job)
        if since is None or outlook is None:
            return None
        durations = outlook.total if job.status == Status.REQUESTED else outlook.running
        assert durations is not None  # noqa: S101 (for mypy: this is what the outlook was chosen for)
        elapsed = max(timedelta(), now - since)
        ahead = Range.of(durations, elapsed)
        return Estimate(
            ends_at=since + ahead.median,
            earliest=since + ahead.low,
            latest=since + ahead.high,
            runs=durations.count,
            basis=outlook.basis,
            overdue=elapsed > durations.quantile(HIGH),
            queue=outlook.queue,
            running=outlook.run,
        )

    def _outlook(self, key: _Key) -> Outlook | None:
        kind = hash(key)
        known, spans = self._outlooks.get(kind), self._spans.get(kind)
        if known is None and spans is not None and len(spans) >= 2 * FEWEST:
            known = self._outlooks[kind] = _outlook_of(key[0], spans)
            if len(self._outlooks) > MOST_OUTLOOKS:
                self._outlooks.popitem(last=False)
        return known


def _outlook_of(basis: Basis, seconds: Sequence[float]) -> Outlook:
    spans = [
        (None if math.isnan(queued) else timedelta(seconds=queued), timedelta(seconds=ran))
        for queued, ran in zip(seconds[::2], seconds[1::2], strict=True)
    ]
    queued = Durations.of(queued for queued, _ in spans if queued is not None)
    running = Durations.of(ran for _, ran in spans)
    return Outlook(
        basis=basis,
        runs=len(spans),
        queued=queued,
        running=running,
        total=Durations.of(queued + ran for queued, ran in spans if queued is not None),
        queue=Range.of(queued) if queued else None,
        run=Range.of(running) if running else None,
    )


def _since(job: JobDetails, running_since: datetime | None) -> datetime | None:
    """When the job's present state began; None if that is unknown."""
    match job.status:
        case Status.REQUESTED:
            return job.requested_at
        case Status.IN_PROGRESS:
            return running_since
        case _:
            return None


def _keys(job: JobDetails | Run) -> Iterator[_Key]:
    """The kinds of a job, from the narrowest to the widest."""
    if (same := input_of(job)) is not None:
        yield Basis.INPUT, *same
    if job.job_type is not None:
        if job.overture_release is not None or job.orbis_version is not None:
            yield Basis.RELEASE, job.job_type, job.overture_release, job.orbis_version
        yield Basis.TYPE, job.job_type, None, None
