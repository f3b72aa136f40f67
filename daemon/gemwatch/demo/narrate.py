"""The daemon's log as sentences, for those of its entries that say something to a person who looks on."""

from collections.abc import Mapping
from typing import Any

from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line

Names = Mapping[int, str | None]  # of the jobs

_LOUD = {"warning", "error", "critical"}


def sentence(entry: Mapping[str, Any], names: Names) -> str | None:
    """What an entry says, on one line. None where there is nothing to say, or a message will say it."""
    text = None
    match entry:
        case {"event": "transition", "job": int(job), "before": before, "after": str(after)}:
            text = f"{_job(job, names)}: {f'{before} →' if before else 'first seen,'} {after}"
        case {"event": "configuration applied", "watches": int(watches)}:
            jobs = formatting.counted(watches, "job", "jobs")
            text = f"daemon: configuration applied, {jobs} on the watch list"
        case {"event": "not found", "job": int(job)}:
            text = f"{_job(job, names)}: the API knows no such job (HTTP 404)"
        case {"event": "no answer" | "bad answer", "job": int(job), "reason": reason}:
            text = f"{_job(job, names)}: {reason}, retried"
        case {"event": "not delivered", "target": target, "event_id": event_id, "reason": reason}:
            text = f"{target} did not take {event_id} ({reason}); retried"
        case {"event": "stopped"}:
            text = "daemon: stopped in good order"
        case {"level": level, "event": event} if level in _LOUD:
            reason = entry.get("reason") or entry.get("problem")
            text = f"daemon: {event}{f', {reason}' if reason else ''}"
    return text and single_line(text, 300)


def _job(job_id: int, names: Names) -> str:
    return formatting.job(job_id, names.get(job_id))
