"""When a job that has not ended will: what earlier runs took, and how sure that is."""

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

LOW, HIGH = 0.1, 0.9  # eight in ten end in between
MOST_RUNS = 30  # of one kind: newer ones say more about the next than older ones
MOST_KEYS = 10_000  # kinds in memory; those that were longest without a run are forgotten
MOST_OUTLOOKS = 1_000  # computed from them and kept; others are computed again when needed


class Basis(StrEnum):
    """What the runs that an estimate is made from have in common with the job."""

    INPUT = "input"  # the same input file in the same storage, and the job type
    RELEASE = "release"  # the job type and the map release or version
    TYPE = "type"  # the job type alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Below `low` one in ten, below `high` nine in ten."""

    low: timedelta
    median: timedelta
    high: timedelta

    @classmethod
    def of(cls, durations: Durations, beyond: timedelta = timedelta()) -> "Range":
        low, median, high = (durations.quantile(p, beyond) for p in (LOW, 0.5, HIGH))
        return cls(low=low, median=median, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """How long jobs of one kind take: waiting, running, and both together, each where it was seen often enough.

    `queue` and `run` are the ranges of the first two, made once for all jobs of the kind.
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
    """When a job is expected to end: the median, with the range that holds in eight of ten cases.

    `overdue`: it has lasted longer than nine of ten do. `queue` and `running` are how long jobs like it wait and run.
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
    """What the successful runs so far teach: the latest of each kind, for a limited number of kinds.

    Ten thousand kinds of thirty runs stay in memory for months, so they are plain numbers: per kind the hash of its
    key and one array of seconds, queued and running in turn.
    """

    def __init__(self, runs: Iterable[Run] = (), *, kinds: int = MOST_KEYS) -> None:
        """The runs, oldest first; `kinds` is how many are kept at most."""
        self._kinds = kinds
        self._spans: OrderedDict[int, array[float]] = OrderedDict()
        self._outlooks: OrderedDict[int, Outlook] = OrderedDict()  # of the kinds that were needed last
        for run in runs:
            self.add(run)

    def add(self, run: Run) -> None:
        """Learn from a run that has just ended. One that failed, or of unknown length, teaches nothing."""
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

    def outlook(self, job: JobDetails | Run, *, waiting: bool | None = None) -> Outlook | None:
        """From the runs that are most like the job and enough to tell; None where there are none.

        For a job that is `waiting` (by default: whose status says so) runs are needed whose wait was seen too.
        """
        waiting = job.status == Status.REQUESTED if waiting is None else waiting
        for key in _keys(job):
            outlook = self._outlook(key)
            if outlook is not None and (outlook.total if waiting else outlook.running) is not None:
                return outlook
        return None

    def estimate(self, job: JobDetails, running_since: datetime | None, now: datetime) -> Estimate | None:
        """When a waiting or running job is expected to end, as things stand `now`."""
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
    """From when on the job's present state is measured. None where nothing can be said about it."""
    match job.status:
        case Status.REQUESTED:
            return job.requested_at
        case Status.IN_PROGRESS:
            return running_since
        case _:
            return None


def _keys(job: JobDetails | Run) -> Iterator[_Key]:
    """The kinds that a job is of, from the narrowest to the widest."""
    if (same := input_of(job)) is not None:
        yield Basis.INPUT, *same
    if job.job_type is not None:
        if job.overture_release is not None or job.orbis_version is not None:
            yield Basis.RELEASE, job.job_type, job.overture_release, job.orbis_version
        yield Basis.TYPE, job.job_type, None, None
