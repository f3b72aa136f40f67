"""What the store holds as the commands print it with `--json`."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store.reads.json_shapes import delivery_json, status_json, transition_json
from gemwatch.adapters.store.reads.records import Records, Snapshot
from gemwatch.core.target_health import SentText


class JsonRecords:
    def __init__(self, engine: sa.Engine) -> None:
        self.records = Records(engine)

    def status(self, now: datetime | None = None) -> dict[str, Any]:
        found = self.records.status(now)
        return status_json(found.jobs, found.service)

    def history(self, job_id: int | None = None) -> list[dict[str, Any]]:
        return [dict(transition_json(row)) for row in self.records.history(job_id)]

    def deliveries(self, state: str | None = None) -> list[dict[str, Any]]:
        return [dict(delivery_json(row)) for row in self.records.deliveries(state)]

    def delivery_text(self, delivery: int) -> SentText | None:
        return self.records.delivery_text(delivery)

    def snapshot(self) -> Snapshot:
        return self.records.snapshot()
