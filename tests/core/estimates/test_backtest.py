"""Predicting each run of the history from earlier ones."""

import random
from datetime import timedelta

import pytest

from gemwatch.core.estimates.backtest import RUNNING, TOTAL, backtest
from gemwatch.core.estimates.estimate import Basis
from gemwatch.core.runs import Run
from support.past import HOUR, NOW, past, run


def test_too_few_runs_give_no_prediction() -> None:
    assert backtest([]) == []
    assert backtest(past(HOUR, HOUR, HOUR)) == []


def test_ranges_have_their_stated_coverage() -> None:
    chance, runs = random.Random(5), []
    for number in range(400, 0, -1):
        queued, ran = (timedelta(seconds=chance.lognormvariate(mean, 0.4)) for mean in (6, 8))
        requested_at = NOW - timedelta(days=number)
        runs.append(
            run(number, requested_at=requested_at, ended_at=requested_at + queued + ran, queued=queued, ran=ran)
        )
    scores = {(score.of, score.basis): score for score in backtest(runs)}
    assert set(scores) == {(RUNNING, Basis.INPUT), (TOTAL, Basis.INPUT)}
    for score in scores.values():
        assert score.runs == 397
        assert 0.74 < score.within < 0.86
        assert 0.1 < score.relative_error < 0.5


def test_run_is_predicted_only_from_earlier_ones() -> None:
    began = NOW - timedelta(days=1)
    together = [
        run(n, requested_at=began, queued=timedelta(), ran=timedelta(hours=n), ended_at=began + timedelta(hours=n))
        for n in (1, 2, 3, 4, 5)
    ]
    assert backtest(together) == []
    after = run(9, requested_at=NOW, queued=timedelta(), ran=HOUR, ended_at=NOW + HOUR)
    assert [(score.of, score.runs) for score in backtest([*together, after])] == [(RUNNING, 1), (TOTAL, 1)]


@pytest.mark.parametrize("one", [run(status="FAILED"), run(ran=None), run(ran=timedelta())])
def test_runs_without_a_time_are_ignored(one: Run) -> None:
    assert backtest([*past(*[HOUR] * 4, requested_at=None), one]) == backtest(past(*[HOUR] * 4, requested_at=None))
