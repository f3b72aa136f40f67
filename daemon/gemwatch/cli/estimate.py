"""`gemwatch estimate`: when jobs are expected to end, and how good such estimates have been."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemwatch.cli.common import MISUSED, Config, Json, config_path, fail, job_id, open_store, print_json
from gemwatch.cli.tables import coloured, expected, local, table, zone

if TYPE_CHECKING:
    from gemwatch.core.backtest import Score

JobIds = Annotated[
    list[int] | None,
    typer.Argument(metavar="[JOB_ID]...", parser=job_id, help="The jobs; by default all watched ones."),
]
Backtest = Annotated[bool, typer.Option("--backtest", help="Say how often the ranges held for the runs so far.")]
_BASES = {"input": "same input", "release": "same type and release", "type": "same type"}


def estimate(
    context: typer.Context,
    job_ids: JobIds = None,
    config: Config = None,
    *,
    backtest: Backtest = False,
    as_json: Json = False,
) -> None:
    """Show when unfinished jobs are expected to end, from the runs that the store has seen.

    Each range holds in 8 of 10 cases. It takes 3 runs of the same input, or of the same job type.
    """
    if backtest and job_ids:
        fail("--backtest is about all runs, it takes no job ids", MISUSED)
    engine = open_store(config_path(context, config))
    if backtest:
        _backtest(engine, as_json=as_json)
        return
    from gemwatch.adapters.store.records import Records

    jobs = _chosen(Records(engine).status()["jobs"], job_ids or [])
    if as_json:
        print_json([{name: job[name] for name in ("job_id", "name", "status", "estimate")} for job in jobs])
        return
    from rich.console import Console

    if not jobs:
        typer.echo("No job is waiting or running.")
        return
    columns = ["Job", "Name", "Status", "Expected end", "Waits for", "Runs for", "From"]
    Console().print(table(columns, map(_row, jobs), zone()))


def _chosen(jobs: list[dict[str, Any]], job_ids: list[int]) -> list[dict[str, Any]]:
    if not job_ids:
        return [job for job in jobs if job["watched"] and not job["finished"]]
    known = {job["job_id"]: job for job in jobs}
    missing = [job_id for job_id in job_ids if job_id not in known]
    if missing:
        which = ", ".join(map(str, missing))
        fail(f"not known here: {which}; it was never on the watch list that the daemon read")
    return [known[job_id] for job_id in dict.fromkeys(job_ids)]


def _row(job: dict[str, Any]) -> list[Any]:
    estimate = job["estimate"]
    if estimate is None:
        why = f"ended {local(job['status_since'])}" if job["finished"] else "too few runs like it, or not seen yet"
        return [str(job["job_id"]), job["name"], coloured(job["status"]), why, None, None, None]
    return [
        str(job["job_id"]),
        job["name"],
        coloured(job["status"]),
        expected(estimate, runs=False),
        _spans(estimate["queue_seconds"]),
        _spans(estimate["running_seconds"]),
        f"{estimate['runs']} runs, {_BASES[estimate['basis']]}",
    ]


def _spans(seconds: dict[str, float] | None) -> str | None:
    from datetime import timedelta

    from gemwatch.core.text.formatting import span

    if seconds is None:
        return None
    low, median, high = (span(timedelta(seconds=seconds[name])) for name in ("low", "median", "high"))
    return f"{median} ({low} to {high})"


def _backtest(engine: Any, *, as_json: bool) -> None:
    from gemwatch.adapters.store.runs import latest_runs
    from gemwatch.core.backtest import backtest

    with engine.begin() as connection:
        runs = latest_runs(connection)
    scores = backtest(runs)
    if as_json:
        print_json({"runs": len(runs), "predictions": [_json(score) for score in scores]})
        return
    from rich.console import Console

    if not scores:
        typer.echo(
            f"Nothing could have been predicted yet: {len(runs)} runs are known, and it takes 3 that are alike."
        )
        return
    columns = ["Predicted", "From runs of the", "Predictions", "In range (8 of 10 wanted)", "Median error"]
    Console().print(table(columns, map(_score_row, scores), "Each from the runs that had ended by then."))


def _json(score: "Score") -> dict[str, Any]:
    return {
        "of": score.of,
        "basis": score.basis.value,
        "runs": score.runs,
        "within": round(score.within, 4),
        "median_error_seconds": round(score.error.total_seconds(), 3),
        "median_relative_error": round(score.relative_error, 4),
    }


def _score_row(score: "Score") -> list[Any]:
    from gemwatch.core.text.formatting import share, span

    return [
        "running time, at the start" if score.of == "running" else "wait and running time, at the request",
        _BASES[score.basis.value],
        f"{score.runs:,}",
        share(score.within),
        f"{span(score.error)} ({share(score.relative_error)})",
    ]
