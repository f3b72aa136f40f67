"""Measures how good the estimates would have been: predicts each run from those that had ended by then."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from gemwatch.core.estimates.estimate import HIGH, LOW, Basis, Experience
from gemwatch.core.job import Status
from gemwatch.core.runs import Run

RUNNING, TOTAL = "running", "total"  # predicted at the start; or at the request, including the wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """The quality of the predictions of one kind on one basis.

    `within`: the share whose range from 10 to 90 % was right. `error`: the median error of the middle.
    `relative_error`: the same as a share of the actual time.
    """

    of: str
    basis: Basis
    runs: int
    within: float
    error: timedelta
    relative_error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """A prediction to test: how long a run takes, as of a moment, and the actual time."""

    at: datetime
    run: Run
    of: str
    came: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    within: bool
    error: timedelta
    relative_error: float


def backtest(runs: Iterable[Run]) -> list[Score]:
    """The scores over all successful runs, in the order in which an estimate prefers them."""
    done = sorted((run for run in runs if run.status == Status.SUCCESS), key=lambda run: run.ended_at)
    questions = sorted((q for run in done for q in _questions(run)), key=lambda question: question.at)
    experience, known = Experience(), iter(done)
    waiting = next(known, None)
    hits: dict[tuple[str, Basis], list[_Hit]] = defaultdict(list)
    for question in questions:
        while waiting is not None and waiting.ended_at <= question.at:
            experience.add(waiting)
            waiting = next(known, None)
        if (answer := _answer(experience, question)) is not None:
            basis, hit = answer
            hits[question.of, basis].append(hit)
    kinds = ((of, basis) for of in (RUNNING, TOTAL) for basis in Basis)
    return [_score(of, basis, hits[of, basis]) for of, basis in kinds if hits[of, basis]]


def _questions(run: Run) -> Iterator[_Question]:
    if run.ran is None or run.ran <= timedelta():
        return
    requested = run.requested_at
    if requested is None:  # then its start is its end minus its time
        yield _Question(at=run.ended_at - run.ran, run=run, of=RUNNING, came=run.ran)
        return
    # If the start is unknown, predict at the request: predicting too early is fair, too late would use later data.
    yield _Question(at=requested + (run.queued or timedelta()), run=run, of=RUNNING, came=run.ran)
    if run.queued is not None:
        yield _Question(at=requested, run=run, of=TOTAL, came=run.queued + run.ran)


def _answer(experience: Experience, question: _Question) -> tuple[Basis, _Hit] | None:
    outlook = experience.outlook(question.run, waiting=question.of == TOTAL)
    durations = outlook and (outlook.total if question.of == TOTAL else outlook.running)
    if outlook is None or not durations:
        return None
    came, off = question.came, abs(durations.quantile(0.5) - question.came)
    within = durations.quantile(LOW) <= came <= durations.quantile(HIGH)
    return outlook.basis, _Hit(within=within, error=off, relative_error=off / came)


def _score(of: str, basis: Basis, hits: Sequence[_Hit]) -> Score:
    return Score(
        of=of,
        basis=basis,
        runs=len(hits),
        within=sum(hit.within for hit in hits) / len(hits),
        error=timedelta(seconds=median(hit.error.total_seconds() for hit in hits)),
        relative_error=median(hit.relative_error for hit in hits),
    )
