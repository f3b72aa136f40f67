"""`gemwatch estimate`: when jobs are expected to end, and how good such estimates have been."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemwatch.cli.common import (
    MISUSED,
    Config,
    Json,
    SomeJobs,
    config_path,
    fail,
    open_store,
    print_json,
    records_of,
    refuse_unknown,
)
from gemwatch.cli.output.jobs import word_of
from gemwatch.cli.output.tables import Cell, Column, ColumnKind, print_table, zone
from gemwatch.core.text.formatting import counted, share, span

if TYPE_CHECKING:
    import sqlalchemy as sa

    from gemwatch.adapters.store.reads.rows import JobRow
    from gemwatch.core.estimates.backtest import Score
    from gemwatch.core.estimates.estimate import Range

Backtest = Annotated[bool, typer.Option("--backtest", help="Show how often the ranges held for the runs so far.")]
_BASES = {"input": "same input", "release": "same type and release", "type": "same type"}
_COLUMNS = (
    Column(title="Job", kind=ColumnKind.NUMBER),
    Column(title="Name", kind=ColumnKind.TEXT),
    Column(title="Status", kind=ColumnKind.WORD),
    Column(title="Expected end", kind=ColumnKind.TIME, rank=1),
    Column(title="Earliest", kind=ColumnKind.TIME, rank=2),
    Column(title="Latest", kind=ColumnKind.TIME, rank=2),
    Column(title="Waits for", rank=4),
    Column(title="Runs for", rank=3),
    Column(title="Remark", kind=ColumnKind.TEXT, least=26),
)
_SCORE_COLUMNS = (
    Column(title="Predicted", kind=ColumnKind.TEXT),
    Column(title="From runs of the", kind=ColumnKind.TEXT),
    Column(title="Predictions", kind=ColumnKind.NUMBER),
    Column(title="In range", kind=ColumnKind.NUMBER),
    Column(title="Median error"),
)


def estimate(
    context: typer.Context,
    job_ids: SomeJobs = None,
    config: Config = None,
    *,
    backtest: Backtest = False,
    as_json: Json = False,
) -> None:
    """Show when unfinished jobs are expected to end.

    Estimates come from earlier runs in the store: at least 3 of the same input, or of the same job type. Each range
    holds in 8 of 10 cases.
    """
    if backtest and job_ids:
        fail("--backtest is about all runs, it takes no job ids", MISUSED)
    path = config_path(context, config)
    if backtest:
        _backtest(open_store(path), as_json=as_json)
        return
    jobs = _chosen(records_of(path).status().jobs, job_ids or [])
    if as_json:
        from gemwatch.adapters.store.reads.json_shapes import job_json

        shapes = [job_json(job) for job in jobs]
        print_json([{name: job[name] for name in ("job_id", "name", "status", "estimate")} for job in shapes])
        return
    print_table(_COLUMNS, map(_row, jobs), footer=zone(), nothing="No job is waiting or running.")


def _chosen(jobs: "Sequence[JobRow]", job_ids: list[int]) -> "list[JobRow]":
    if not job_ids:
        return [job for job in jobs if job.watched and not job.finished]
    known = {job.job_id: job for job in jobs}
    refuse_unknown(job_id for job_id in job_ids if job_id not in known)
    return [known[job_id] for job_id in dict.fromkeys(job_ids)]


def _row(job: "JobRow") -> list[Cell]:
    expected, status = job.estimate, word_of(job)
    if expected is None:
        return [job.job_id, job.name, status, None, None, None, None, None, _why_none(job)]
    runs = f"{expected.runs} runs, {_BASES[expected.basis.value]}"
    return [
        job.job_id,
        job.name,
        status,
        expected.ends_at,
        expected.earliest,
        expected.latest,
        _spans(expected.queue),
        _spans(expected.running),
        f"overdue; {runs}" if expected.overdue else runs,
    ]


def _why_none(job: "JobRow") -> str:
    if job.finished:
        return "finished"
    if not job.watched:
        return "no longer watched"
    return "no status yet" if job.status is None else "fewer than 3 earlier runs"


def _spans(spans: "Range | None") -> str | None:
    return None if spans is None else f"{span(spans.median)} ({span(spans.low)} to {span(spans.high)})"


def _backtest(engine: "sa.Engine", *, as_json: bool) -> None:
    from gemwatch.adapters.store.reads.past import latest_runs
    from gemwatch.core.estimates.backtest import backtest

    with engine.begin() as connection:
        runs = latest_runs(connection)
    scores = backtest(runs)
    if as_json:
        print_json({"runs": len(runs), "predictions": [_json(score) for score in scores]})
        return
    known = counted(len(runs), "run is", "runs are")
    print_table(
        _SCORE_COLUMNS,
        map(_score_row, scores),
        footer="Each prediction uses only the runs that had ended by then. In range: 80 % are wanted.",
        nothing=f"No estimate could have been made yet: {known} known, and it takes 3 that are alike.",
    )


def _json(score: "Score") -> dict[str, Any]:
    return {
        "of": score.of,
        "basis": score.basis.value,
        "runs": score.runs,
        "within": round(score.within, 4),
        "median_error_seconds": round(score.error.total_seconds(), 3),
        "median_relative_error": round(score.relative_error, 4),
    }


def _score_row(score: "Score") -> list[Cell]:
    return [
        "running time, at the start" if score.of == "running" else "wait and running time, at the request",
        _BASES[score.basis.value],
        score.runs,
        share(score.within),
        f"{span(score.error)} ({share(score.relative_error)})",
    ]
