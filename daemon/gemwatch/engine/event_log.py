"""What the log and the metrics show of events, wherever they were recorded."""

from collections.abc import Iterable

import structlog

from gemwatch.core.work import RecordedEvent
from gemwatch.engine.ports import Metrics

log = structlog.get_logger()


def log_events(recorded: Iterable[RecordedEvent], metrics: Metrics) -> None:
    for one in recorded:
        kind = one.event.kind
        metrics.event(kind)
        log.info(
            "event_recorded",
            event_id=f"gw-{one.event_id}",
            kind=kind.value,
            job_id=one.event.job_id,
            targets=one.targets,
        )
