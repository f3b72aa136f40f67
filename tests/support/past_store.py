"""Earlier runs put into a store, as if they had been watched once."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

import sqlalchemy as sa

from gemwatch.adapters.store.tables import runs, watches
from gemwatch.core.runs import Run


def fill(engine: sa.Engine, kept: Sequence[Run]) -> None:
    with engine.begin() as connection:
        finished = [
            {"job_id": run.job_id, "watched": False, "every": timedelta(minutes=1), "status": run.status}
            for run in kept
        ]
        connection.execute(sa.insert(watches), finished)
        connection.execute(sa.insert(runs), [asdict(run) for run in kept])
