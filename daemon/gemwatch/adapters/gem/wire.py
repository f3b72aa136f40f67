"""Parses GEM's JSON into the core's values. No other module knows GEM's field names."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gemwatch.core.job import JobDetails, Statistics, Status, is_known

_LONGEST_STATUS, _LONGEST_ID = 64, 19  # characters; an id has 63 bits
_DEEPEST = 32  # Python's JSON module recurses: deeper documents may fail later, further down the call stack
_YEARS = range(2000, 3000)
_RATIOS = {  # GEM's names of the ratios, and ours
    "roads_matched_ratio": "matched",
    "roads_fully_matched_ratio": "fully_matched",
    "roads_partially_matched_ratio": "partially_matched",
    "roads_unmatched_ratio": "unmatched",
}
_PERCENT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*%\s*")
_HUNDRED = 100.0
_ERROR_NAME = re.compile(
    r"(?:messages?|errors?|reasons?|details?|description|causes?|failure)|failure_.*|.*_(?:message|error)"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MOST_TEXTS, _LONGEST_TEXT = 5, 300  # of a failure; characters
_SECRET_OF_URL = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]*://)(?:[^\s/?#@]*@)?([^\s?#]*)(?:[?#][^\s\"'<>]*)?")
_KNOWN = {status.value.casefold(): status.value for status in Status}


def read_details(document: str) -> JobDetails:
    """A job's details from the JSON text of an answer.

    Id and status are required and must be valid. Every other field is None unless it has the documented type (or is
    a number written as a string), so that an odd field never hides the status.

    Raises ValueError with a reason that is safe to show: it does not quote the document.
    """
    try:
        raw = json.loads(document)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON") from None
    if not isinstance(raw, dict):
        raise ValueError("the answer is JSON but not an object")
    if document.count("{") + document.count("[") > _DEEPEST and _is_deeper(raw, _DEEPEST):
        raise ValueError(f"the answer is nested more than {_DEEPEST} deep")
    if (job_id := read_id(raw)) is None:
        raise ValueError("the answer has no job_id")
    if (status := read_status(raw)) is None:
        raise ValueError("the answer has no status")
    return details_of(raw, job_id, status)


def details_of(raw: Mapping[str, Any], job_id: int, status: str) -> JobDetails:
    """The details of the job with this id and status."""
    return JobDetails(
        job_id=job_id,
        status=status,
        storage_id=_text(raw, "storage_id"),
        input_filename=_text(raw, "input_filename"),
        result_filename=_text(raw, "result_filename"),
        job_type=_text(raw, "job_type"),
        overture_release=_text(raw, "overture_release"),
        orbis_version=_text(raw, "orbis_version"),
        requested_at=_time(raw, "requested_at"),
        statistics=_statistics(raw.get("statistics")),
        failure=tuple(_failure(raw)) if status == Status.FAILED or not is_known(status) else (),
    )


def _is_deeper(raw: Any, most: int) -> bool:
    """Whether a document has more than `most` nested objects and arrays."""
    level = [raw]
    for _ in range(most):
        inside = [node.values() if isinstance(node, dict) else node for node in level]
        level = [node for nodes in inside for node in nodes if isinstance(node, dict | list)]
        if not level:
            return False
    return True


def read_id(raw: Mapping[str, Any]) -> int | None:
    """The id of a job. Accepts digits in a string too."""
    job_id = raw.get("job_id")
    if isinstance(job_id, str) and job_id.isascii() and job_id.isdigit() and len(job_id) <= _LONGEST_ID:
        return int(job_id)
    return job_id if isinstance(job_id, int) and not isinstance(job_id, bool) else None


def read_status(raw: Mapping[str, Any]) -> str | None:
    """The status of a job, or None if it is not usable. The case of documented ones does not matter."""
    status = raw.get("status")
    if not isinstance(status, str) or not 0 < len(status) <= _LONGEST_STATUS or not status.isprintable():
        return None
    return _KNOWN.get(status.casefold(), status)


def _statistics(raw: Any) -> Statistics | None:
    if not isinstance(raw, dict):
        return None
    seconds = _number(raw, "execution_time_sec", most=1e9)
    roads, threshold = _number(raw, "num_roads_processed"), _number(raw, "confidence_threshold")
    ratios, unclear = _ratios(raw)
    return Statistics(
        confidence_threshold=None if threshold is None else int(threshold),
        execution_time=None if seconds is None else timedelta(seconds=seconds),
        kilometres=_number(raw, "kms_processed"),
        roads=None if roads is None else int(roads),
        unclear=unclear,
        **ratios,
    )


def _ratios(raw: Mapping[str, Any]) -> tuple[dict[str, float], tuple[str, ...]]:
    """The ratios with a clear meaning, and the names of the ambiguous ones.

    A number up to 1 is a ratio, one above 1 a percentage. If any is above 1, a number up to 1 could be either.
    """
    given = {ours: raw[name] for name, ours in _RATIOS.items() if raw.get(name) is not None}
    numbers = {ours: number for ours in given if (number := _number(given, ours, most=_HUNDRED)) is not None}
    in_percent = any(number > 1 for number in numbers.values())
    ratios = dict[str, float]()
    for ours, value in given.items():
        number = numbers.get(ours)
        if isinstance(value, str) and (match := _PERCENT.fullmatch(value)) and float(match[1]) <= _HUNDRED:
            ratios[ours] = float(match[1]) / _HUNDRED
        elif number is not None and (number > 1 or not in_percent or number == 0):
            ratios[ours] = number / _HUNDRED if number > 1 else number
    return ratios, tuple(ours for ours in given if ours not in ratios)


def _failure(raw: Mapping[str, Any]) -> Iterator[str]:
    """Texts whose field name suggests an error, at the top and one level down. TomTom documents no such field."""
    seen = set[str]()
    for text in _error_texts(raw, deeper=True):
        shown = _showable(text)
        if shown and shown not in seen and len(seen) < _MOST_TEXTS:
            seen.add(shown)
            yield shown


def _error_texts(raw: Mapping[str, Any], *, deeper: bool) -> Iterator[str]:
    for name, value in raw.items():
        if isinstance(value, dict):
            if deeper:
                yield from _error_texts(value, deeper=False)
        elif _ERROR_NAME.fullmatch(_CAMEL.sub("_", name).lower()):
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, str):
                    yield item
                elif isinstance(item, dict) and deeper:
                    yield from _error_texts(item, deeper=False)


def _showable(text: str) -> str:
    """A single line without control characters. Removes the query of URLs, which may be a signature."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    line = _SECRET_OF_URL.sub(_without_secret, " ".join(printable.split()))
    return line if len(line) <= _LONGEST_TEXT else f"{line[: _LONGEST_TEXT - 1]}…"


def _without_secret(url: re.Match[str]) -> str:
    query = "?…" if "?" in url[0] else ""
    return f"{url[1]}{url[2]}{query}"


def _text(raw: Mapping[str, Any], key: str) -> str | None:
    """A text. What JSON allows and a database cannot store becomes question marks: lone surrogates and NUL."""
    value = raw.get(key)
    if not isinstance(value, str) or not value:
        return None
    value = value.replace("\0", "?")
    return value if value.isascii() else value.encode(errors="replace").decode()


def _number(raw: Mapping[str, Any], key: str, *, most: float = 1e15) -> float | None:
    """A number from 0 to `most`. The comparison rejects NaN and infinities, which Python's JSON accepts."""
    value = raw.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number <= most else None


def _time(raw: Mapping[str, Any], key: str) -> datetime | None:
    """A plausible time. Others are zero values, or so close to `datetime.max` that adding a duration overflows."""
    value = raw.get(key)
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        utc = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return utc if utc.year in _YEARS else None
