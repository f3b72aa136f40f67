"""Turns those lines of the daemon's log that matter to a viewer of the demo into sentences."""

from collections.abc import Mapping
from typing import Any

from gemwatch.core.text import formatting, job_parts
from gemwatch.core.text.message import plain
from gemwatch.core.text.sanitize import single_line

Names = Mapping[int, str | None]  # of the jobs

_LOUD = {"warning", "error", "critical"}


def sentence(entry: Mapping[str, Any], names: Names) -> str | None:
    """An entry as one line; None if a viewer does not need it, or a message will show it."""
    text = None
    match entry:
        case {"event": "transition", "job_id": int(job), "before": before, "after": str(after)}:
            text = f"{_job(job, names)}: {f'{before} →' if before else 'first seen,'} {after}"
        case {"event": "config_applied", "watches": int(watches)}:
            jobs = formatting.counted(watches, "job", "jobs")
            text = f"daemon: configuration applied, {jobs} on the watch list"
        case {"event": "runs_learned", "job_type": job_type, "runs": int(runs)}:
            found = formatting.counted(runs, "earlier run", "earlier runs")
            text = f"daemon: learned {found} from the list of {job_type} jobs"
        case {"event": "job_discovered", "job_id": int(job), "rule": rule}:
            text = f"{_job(job, names)}: found in the list by the rule {rule}"
        case {"event": "poll_not_found", "job_id": int(job)}:
            text = f"{_job(job, names)}: the API knows no such job (HTTP 404)"
        case {"event": "poll_failed", "job_id": int(job), "reason": reason}:
            text = f"{_job(job, names)}: {reason}, retried"
        case {"event": "delivery_failed", "target": target, "event_id": event_id, "reason": reason}:
            text = f"{target} did not take {event_id} ({reason}); retried"
        case {"event": "stopped"}:
            text = "daemon: stopped"
        case {"level": level, "event": event} if level in _LOUD:
            more = entry.get("reason") or entry.get("detail")
            component = f" {entry['component']}:" if "component" in entry else ""
            text = f"daemon:{component} {event.replace('_', ' ')}{f', {more}' if more else ''}"
    return text and single_line(text, 300)


def _job(job_id: int, names: Names) -> str:
    return plain(job_parts.job(job_id, names.get(job_id)))
