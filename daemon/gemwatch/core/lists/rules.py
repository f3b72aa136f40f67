"""Rules that find jobs in the list of the account: which jobs match, and what their watches are like."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from gemwatch.core.job import JobDetails, is_end
from gemwatch.core.listing import DOCUMENTED_TYPES
from gemwatch.core.settings import Rule, Watch

NAME_FIELDS = ("input", "storage", "release", "job_id")
_FIELD = re.compile(r"\{([^{}]*)\}")
LONGEST_NAME = 200  # characters, here and in the configuration
_WILD = re.compile(r"[*?\[]")


class Fate(StrEnum):
    """What happens to a listed job that a rule matches."""

    WATCH = "watch"
    PAST = "past"  # it had ended, and was requested, before the rule was first applied: never reported


def key_of(rule: Rule) -> str:
    """What identifies a rule, and how it is shown: `input "nl_*.parquet", storage "storage-001"`."""
    named = (("job_type", rule.job_type), ("storage", rule.storage), ("input", rule.input), ("release", rule.release))
    return ", ".join(f"{name} {json.dumps(pattern, ensure_ascii=False)}" for name, pattern in named if pattern)


def first_match(rules: Iterable[Rule], job: JobDetails, now: datetime) -> Rule | None:
    """The first rule that matches this job at this time."""
    return next((rule for rule in rules if in_window(rule, job, now) and fits(rule, job)), None)


def fits(rule: Rule, job: JobDetails) -> bool:
    """Whether every pattern of the rule fits. A job without a field does not fit a pattern for it."""
    return (
        _any_fits(rule.job_type, job.job_type)
        and _any_fits(rule.storage, job.storage_id)
        and _any_fits(rule.input, job.input_filename)
        and _any_fits(rule.release, job.overture_release, job.orbis_version)
    )


def in_window(rule: Rule, job: JobDetails, now: datetime) -> bool:
    """Whether the job was requested recently enough. A job without a request time counts until it has ended."""
    if job.requested_at is None:
        return not is_end(job.status)
    return now - job.requested_at <= rule.requested_within


def fate(job: JobDetails, first_applied: datetime) -> Fate:
    """What happens to a job that a rule matches for the first time. `first_applied`: when the rule was."""
    asked = job.requested_at
    past = is_end(job.status) and (asked is None or asked <= first_applied)
    return Fate.PAST if past else Fate.WATCH


def types_of(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The job types whose lists the rules need."""
    found: dict[str, None] = {}
    for rule in rules:
        if rule.job_type is not None and not _WILD.search(rule.job_type):
            found[rule.job_type] = None
        else:
            found |= dict.fromkeys(one for one in DOCUMENTED_TYPES if _any_fits(rule.job_type, one))
    return tuple(found)


def watch_of(rule: Rule, job: JobDetails) -> Watch:
    """The watch of a job that the rule found."""
    return replace(rule.watch, job_id=job.job_id, name=_name(rule.watch.name, job))


def unknown_fields(template: str) -> list[str]:
    """The fields in braces that a name cannot have."""
    return [name for name in _FIELD.findall(template) if name not in NAME_FIELDS]


def rules_by_key(rules: Sequence[Rule]) -> Mapping[str, Rule]:
    return {key_of(rule): rule for rule in reversed(rules)}


def _any_fits(pattern: str | None, *values: str | None) -> bool:
    return pattern is None or any(value is not None and fnmatchcase(value, pattern) for value in values)


def _name(template: str | None, job: JobDetails) -> str | None:
    if template is None:
        return None
    fields = {
        "input": job.input_filename,
        "storage": job.storage_id,
        "release": job.overture_release or job.orbis_version,
        "job_id": str(job.job_id),
    }
    text = _FIELD.sub(lambda found: fields.get(found[1]) or "", template)
    shown = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    return shown[:LONGEST_NAME] or None
