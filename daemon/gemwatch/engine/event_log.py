"""What the log shows of polls, and the log and the metrics of events, wherever they were recorded."""

from collections.abc import Iterable
from typing import Any

import structlog

from gemwatch.core.job import Failed, NotFound, Observation, Refused, Seen, Throttled
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


def log_poll(job_id: int, seen: Observation, failures: int, quick: Any) -> None:
    """`quick`: a logger that knows its level, for what happens thousands of times a second and is seldom shown."""
    match seen:
        case Seen():
            quick.debug("poll_succeeded", job_id=job_id, status=seen.job.status)
        case NotFound():
            log.warning("poll_not_found", job_id=job_id)
        case Refused():
            log.warning("poll_refused", job_id=job_id, reason=seen.reason)
        case Throttled(asked=False):
            log.debug("poll_postponed", job_id=job_id, reason="the API asked to wait")
        case Throttled():
            log.warning(
                "poll_throttled",
                job_id=job_id,
                reason=seen.reason,
                retry_after=seen.retry_after and seen.retry_after.total_seconds(),
            )
        case Failed():
            log.warning("poll_failed", job_id=job_id, reason=seen.reason, bad_answer=seen.bad, failures=failures)
