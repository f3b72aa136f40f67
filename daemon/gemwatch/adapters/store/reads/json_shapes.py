"""The JSON of jobs, transitions, deliveries and the service, as `--json` prints it and the API answers."""

import json
import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from gemwatch.adapters.store.info import StoreInfo
from gemwatch.adapters.store.reads.groups import GroupRow
from gemwatch.adapters.store.reads.rows import DeliveryRow, JobHistory, JobRow, Page, ServiceState, TransitionRow
from gemwatch.core.estimates.estimate import Estimate, Range
from gemwatch.core.job import UNSEEN
from gemwatch.core.runs import Run
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.work import DeliveryState

Json = dict[str, Any]  # of the API: as gemwatch.client.answers declares it, which the tests compare


def as_text(time: datetime | None, *, timespec: str = "milliseconds") -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    return None if time is None else _text(time, timespec)


def _text(time: datetime, timespec: str = "milliseconds") -> str:
    return time.isoformat(timespec=timespec).replace("+00:00", "Z")


def job_json(job: JobRow) -> Json:
    return {
        "job_id": job.job_id,
        "name": job.name,
        "status": job.status,
        "status_since": as_text(job.status_since),
        "running_since": as_text(job.running_since),
        "watched": job.watched,
        "rule": job.rule,
        "group": job.group,
        "finished": job.finished,
        "last_polled_at": as_text(job.polled_at),
        "next_poll_at": as_text(job.next_poll_at),
        "misses": job.misses,
        "not_found": job.not_found,
        "last_error": job.last_error,
        "failure": list(job.failure),
        "details": None if job.answer is None else answer_json(job.answer),
        "estimate": None if job.estimate is None else estimate_json(job.estimate),
        "needs_review": list(job.needs_review),
        "limits_passed": [kind.value for kind in job.limits_passed],
        "previous": None if job.previous is None else run_json(job.previous),
    }


def history_json(found: JobHistory) -> Json:
    return {
        **job_json(found.job),
        "transitions": [transition_json(move) for move in found.transitions],
        "deliveries": [delivery_json(one) for one in found.deliveries],
        "runs": [run_json(run) for run in found.runs],
    }


def jobs_page_json(page: Page[JobRow]) -> Json:
    return {
        "jobs": [job_json(job) for job in page.rows],
        "total": page.total,
        "limit": page.limit,
        "offset": page.offset,
    }


def groups_json(groups: Iterable[GroupRow]) -> Json:
    return {
        "groups": [
            {
                "name": group.name,
                "done_at": as_text(group.done_at),
                "incomplete": group.incomplete,
                "member_added_at": _text(group.member_added_at),
                "members": sum(group.jobs.values()),
                "expect": group.expect,
                "finished": group.finished,
                "jobs": dict(group.jobs),
                "ends_at": as_text(group.ends_at),
            }
            for group in groups
        ]
    }


def deliveries_page_json(page: Page[DeliveryRow]) -> Json:
    return {
        "deliveries": [delivery_json(one) for one in page.rows],
        "total": page.total,
        "limit": page.limit,
        "offset": page.offset,
    }


def status_json(jobs: Iterable[JobRow], service: ServiceState) -> Json:
    """What `gemwatch status --json` prints."""
    return {
        "jobs": [job_json(job) for job in jobs],
        "service": {
            "login": service.login.value,
            "api": service.api.value,
            "token_expires_at": as_text(service.token_expires_at, timespec="seconds"),
            "login_since": as_text(service.login_since),
            "many_refused_since": as_text(service.many_refused_since),
            "api_since": as_text(service.api_since),
            "config": "refused" if service.config_refused else "ok",
            "config_since": as_text(service.config_since),
            "targets_down": targets_down_json(service),
            "replicas": replicas_json(service.replicas),
        },
    }


def service_json(service: ServiceState, *, version: str) -> Json:
    """What `/api/service` answers."""
    return {
        "version": version,
        "config": service.config,
        "config_since": as_text(service.config_since),
        "store_failure": service.store_failure,
        "store_trouble": service.store_failure,
        "login": service.login.value,
        "api": service.api.value,
        "token_expires_at": as_text(service.token_expires_at, timespec="seconds"),
        "targets_down": targets_down_json(service),
        "login_since": as_text(service.login_since),
        "many_refused_since": as_text(service.many_refused_since),
        "api_since": as_text(service.api_since),
        "deliveries": {DeliveryState.PENDING.value: service.pending, DeliveryState.FAILED.value: service.failed},
        "jobs": {status or UNSEEN: number for status, number in service.jobs.items()},
        "needs_review": service.needs_review,
        "replicas": replicas_json(service.replicas),
    }


def replicas_json(replicas: Iterable[Replica]) -> list[Json]:
    """The daemons that share the store."""
    return [
        {
            "id": one.id,
            "host": one.host,
            "version": one.version,
            "seen_at": _text(one.seen_at),
            "leader": one.leader,
            "login": one.login.value,
        }
        for one in replicas
    ]


def targets_down_json(service: ServiceState) -> list[Json]:
    """The targets that do not accept messages."""
    return [
        {"target": name, "since": _text(health.down_since), "reason": health.reason}
        for name, health in service.targets_down
        if health.down_since is not None
    ]


def estimate_json(estimate: Estimate) -> Json:
    return {
        "ends_at": _text(estimate.ends_at),
        "earliest": _text(estimate.earliest),
        "latest": _text(estimate.latest),
        "runs": estimate.runs,
        "basis": estimate.basis.value,
        "overdue": estimate.overdue,
        "queue_seconds": _seconds(estimate.queue) if estimate.queue else None,
        "running_seconds": _seconds(estimate.running) if estimate.running else None,
    }


def run_json(run: Run) -> Json:
    return {
        "job_id": run.job_id,
        "ended_at": _text(run.ended_at),
        "matched": run.matched,
        "roads": run.roads,
        "kilometres": run.kilometres,
        "running_seconds": None if run.ran is None else run.ran.total_seconds(),
    }


def transition_json(move: TransitionRow) -> Json:
    return {
        "job_id": move.job_id,
        "from": move.before,
        "to": move.after,
        "last_seen_before": as_text(move.last_seen_before),
        "observed_at": _text(move.observed_at),
        "failure": list(move.failure),
    }


def delivery_json(one: DeliveryRow) -> Json:
    return {
        "id": one.id,
        "event": one.event,
        "kind": one.kind.value,
        "job_id": one.job_id,
        "target": one.target,
        "state": one.state,
        "attempts": one.attempts,
        "next_attempt_at": as_text(one.next_attempt_at),
        "sent_at": as_text(one.sent_at),
        "last_error": one.last_error,
        "text": one.text,
    }


def _seconds(spans: Range) -> Json:
    low, median, high = (round(span.total_seconds(), 3) for span in (spans.low, spans.median, spans.high))
    return {"low": low, "median": median, "high": high}


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


# The API's answer as it came; but NaN and infinities, which Python reads and JSON does not know, become null.
answer_json = json.JSONDecoder(parse_constant=lambda _: None, parse_float=_finite).decode


def store_json(found: StoreInfo) -> Json:
    """What `db info --json` prints."""
    held = found.contents
    return {
        "path": found.place,
        "size": found.size,
        "log_size": found.log_size,
        found.database: found.database_version,
        "schema": found.schema,
        "schema_read": found.schema_read,
        "daemon": found.writer and found.writer.pid,
        "daemon_host": found.writer and found.writer.host,
        "replicas": replicas_json(found.replicas),
        "counts": held
        and {
            "jobs": {"watched": held.watched, "by_status": dict(held.jobs)},
            "transitions": {
                "number": held.transitions,
                "oldest": as_text(held.oldest),
                "newest": as_text(held.newest),
            },
            "events": dict(held.events),
            "deliveries": dict(held.deliveries),
        },
    }
