"""A GEM job as one answer describes it, and everything that one look at it can tell."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from gemwatch.core.refusals import Culprit, http_status


class Status(StrEnum):
    """The statuses that TomTom documents. The API may send others: they are kept as they came."""

    REQUESTED = "REQUESTED"
    IN_PROGRESS = "IN_PROGRESS"
    FAILED = "FAILED"
    SUCCESS = "SUCCESS"


ENDS = (Status.SUCCESS, Status.FAILED)


def is_end(status: str | None) -> bool:
    """Whether a job with this status is finished. A status that nobody documented never is."""
    return status in ENDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """What GEM counted, as far as it said so; ratios are 0 to 1."""

    confidence_threshold: int | None = None
    execution_time: timedelta | None = None
    kilometres: float | None = None
    roads: int | None = None
    matched: float | None = None
    fully_matched: float | None = None
    partially_matched: float | None = None
    unmatched: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails:
    """One answer about one job. Only id and status are certain; `document` is the JSON text as it came."""

    job_id: int
    status: str
    document: str
    storage_id: str | None = None
    input_filename: str | None = None
    result_filename: str | None = None
    job_type: str | None = None
    overture_release: str | None = None
    orbis_version: str | None = None
    requested_at: datetime | None = None
    statistics: Statistics | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A well-formed answer about the job that was asked for: the only thing that can change its status."""

    at: datetime
    job: JobDetails


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """404: the API knows no such job."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """401 or 403 although the token was renewed, or no token at all (`certain`).

    `reason` is complete, the API's own `words` included. `remedy`: what to do, with the exact command.
    """

    at: datetime
    reason: str
    certain: bool = False
    culprit: Culprit = Culprit.UNKNOWN
    status: int | None = None
    words: str = ""
    remedy: str | None = None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What an event states of it, as JSON values."""
        return {
            "reason": self.reason,
            "culprit": self.culprit.value,
            "http_status": self.status,
            "words": self.words,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """The API asks everybody to wait, for `retry_after` where it says how long: 429, 503, or 403 for rate.

    `asked`: whether a request was sent; if not, an earlier answer is still being honoured.
    """

    at: datetime
    retry_after: timedelta | None = None
    status: int = HTTPStatus.TOO_MANY_REQUESTS
    words: str = ""
    asked: bool = True

    @property
    def reason(self) -> str:
        said = f': "{self.words}"' if self.words else ""
        return f"{http_status(self.status)}: the API asks to wait{said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """No usable answer: a fault on the way, a 5xx, a time-out, or (`bad`) an answer that makes no sense."""

    at: datetime
    sent_at: datetime
    reason: str
    bad: bool = False


_LONGEST_STATUS, _LONGEST_ID = 64, 19  # characters; an id has 63 bits
_DEEPEST = 32  # what Python's JSON reads in one place it may be unable to read or write in another, deeper in calls
_YEARS = range(2000, 3000)

Observation = Seen | NotFound | Refused | Throttled | Failed


def read_details(document: str) -> JobDetails:
    """A job's details from the JSON text that the API, the store or an event holds.

    Id and status must be there and be sound. Every other field is taken if it has the documented type (or is
    a number written as a string) and is None otherwise, so that a surprise in one never costs the status.

    Raises ValueError with a reason that can be shown, free of the document's own text.
    """
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON") from None
    if not isinstance(raw, dict):
        raise ValueError("the answer is JSON but not an object")
    if document.count("{") + document.count("[") > _DEEPEST and _is_deeper(raw, _DEEPEST):
        raise ValueError(f"the answer is nested more than {_DEEPEST} deep")
    job_id, status = job_id_of(raw), status_of(raw)
    if job_id is None:
        raise ValueError("the answer has no job_id")
    if status is None:
        raise ValueError("the answer has no status")
    return JobDetails(
        job_id=job_id,
        status=status,
        document=document,
        storage_id=_text(raw, "storage_id"),
        input_filename=_text(raw, "input_filename"),
        result_filename=_text(raw, "result_filename"),
        job_type=_text(raw, "job_type"),
        overture_release=_text(raw, "overture_release"),
        orbis_version=_text(raw, "orbis_version"),
        requested_at=_time(raw, "requested_at"),
        statistics=_statistics(raw.get("statistics")),
    )


def _is_deeper(raw: Any, most: int) -> bool:
    """Whether a document has more than `most` objects and arrays within each other."""
    level = [raw]
    for _ in range(most):
        inside = [node.values() if isinstance(node, dict) else node for node in level]
        level = [node for nodes in inside for node in nodes if isinstance(node, dict | list)]
        if not level:
            return False
    return True


def job_id_of(raw: Mapping[str, Any]) -> int | None:
    """The id in a job as the API describes it; digits in a string are one too."""
    job_id = raw.get("job_id")
    if isinstance(job_id, str) and job_id.isascii() and job_id.isdigit() and len(job_id) <= _LONGEST_ID:
        return int(job_id)
    return job_id if isinstance(job_id, int) and not isinstance(job_id, bool) else None


def status_of(raw: Mapping[str, Any]) -> str | None:
    """The status in a job as the API describes it, if it can be one."""
    status = raw.get("status")
    if not isinstance(status, str) or not 0 < len(status) <= _LONGEST_STATUS or not status.isprintable():
        return None
    return status


def _statistics(raw: Any) -> Statistics | None:
    if not isinstance(raw, dict):
        return None
    seconds = _number(raw, "execution_time_sec", most=1e9)
    roads, threshold = _number(raw, "num_roads_processed"), _number(raw, "confidence_threshold")
    return Statistics(
        confidence_threshold=None if threshold is None else int(threshold),
        execution_time=None if seconds is None else timedelta(seconds=seconds),
        kilometres=_number(raw, "kms_processed"),
        roads=None if roads is None else int(roads),
        matched=_number(raw, "roads_matched_ratio", most=1),
        fully_matched=_number(raw, "roads_fully_matched_ratio", most=1),
        partially_matched=_number(raw, "roads_partially_matched_ratio", most=1),
        unmatched=_number(raw, "roads_unmatched_ratio", most=1),
    )


def _text(raw: Mapping[str, Any], key: str) -> str | None:
    """A text. Halves of characters, which JSON can spell and no store can hold, become question marks."""
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        return None
    return value if value.isascii() else value.encode(errors="replace").decode()


def _number(raw: Mapping[str, Any], key: str, *, most: float = 1e15) -> float | None:
    """A number from 0 to `most`. NaN and infinities, which Python's JSON accepts, fail the comparison."""
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None


def _time(raw: Mapping[str, Any], key: str) -> datetime | None:
    """A time of this age. Others are somebody's zero, or so near the end of all times that no span can be added."""
    value = raw.get(key)
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return utc if utc.year in _YEARS else None
