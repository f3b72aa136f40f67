"""Reads a list of jobs entry by entry: parsing it at once would block all polls for as long as that takes."""

import asyncio
import json
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from gemwatch.adapters.gem.wire import details_of, read_id, read_status
from gemwatch.core.job import JobDetails
from gemwatch.core.job_id import MAX_JOB_ID
from gemwatch.core.listing import Listing

T = TypeVar("T")

_JOBS = "jobs"
_HINTS = frozenset({"next", "next_page", "page", "pages", "total_pages", "total", "total_count", "count", "has_more"})
_SPACE = " \t\n\r"
_LONGEST_LINK = 2000
_SMALL = 64 << 10  # bytes to read at once
_value = json.JSONDecoder().raw_decode


async def apart(work: Callable[[], T], *, size: int) -> T:
    """Read a text of this size in bytes. A long one gets its own thread, which ends with it: such lists are rare."""
    if size < _SMALL:
        return work()
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="list")
    running = thread.submit(work)
    thread.shutdown(wait=False)
    return await asyncio.wrap_future(running)


def listing_of(text: str, job_type: str, url: str, at: datetime) -> Listing:
    """The list in the answer to a request for this URL. Raises ValueError as `read_list` does."""
    jobs, hints = read_list(text, job_type)
    return Listing(at=at, job_type=job_type, jobs=jobs, hints=described(hints), after=next_page(url, hints))


def read_list(text: str, job_type: str) -> tuple[dict[int, JobDetails], dict[str, Any]]:
    """The jobs in the JSON text of a list, and the fields that suggest that the list has more pages.

    Entries that are invalid, contradict each other or have another type count as not listed. Raises ValueError with a
    reason that is safe to show, if the text is not a list.
    """
    jobs: dict[int, JobDetails] = {}
    torn: set[int] = set()
    hints: dict[str, Any] = {}
    found = False
    try:
        for name, value in _fields(text):
            if name == _JOBS:
                found = True
                if (job := _entry(value, job_type)) is not None and jobs.setdefault(job.job_id, job) != job:
                    torn.add(job.job_id)
            elif name in _HINTS and value is not None:
                hints[name] = value
    except (ValueError, RecursionError, IndexError):
        raise ValueError("the list is not JSON") from None
    if not found:
        raise ValueError("the list has no jobs")
    return {job_id: job for job_id, job in jobs.items() if job_id not in torn}, hints


def next_page(url: str, hints: Mapping[str, Any]) -> str | None:
    """The URL of the next page, if a hint names one: a link to the same place, or a higher page number.

    No paging is documented, so nothing else is followed. `url`: of the present page.
    """
    after = next((hints[name] for name in ("next", "next_page") if name in hints), None)
    if isinstance(after, str) and not after.isdecimal():
        return _linked(url, after)
    now = _number(hints.get("page")) or _number(dict(parse_qsl(urlsplit(url).query)).get("page"))
    last = _number(hints.get("pages")) or _number(hints.get("total_pages"))
    if after is None and now is not None and last is not None and now < last:
        after = now + 1
    number = _number(after)
    return None if number is None or number <= (now or 1) else _with_page(url, number)


def described(hints: Mapping[str, Any]) -> dict[str, str]:
    """The hints in words that are safe to show: a link may repeat the key or the token."""
    return {name: _described(value) for name, value in hints.items()}


def _described(value: object) -> str:
    match value:
        case bool() | int() | float():
            return str(value).lower()[:20]
        case str() if value.isdecimal():
            return value[:20]
        case str():
            return "a link" if "/" in value or "?" in value else "a text"
        case _:
            return "an object"


def _linked(url: str, link: str) -> str | None:
    if len(link) > _LONGEST_LINK or not link.isascii() or not link.isprintable() or " " in link:
        return None
    try:
        here, there = urlsplit(url), urlsplit(urljoin(url, link))
        same = (here.scheme, here.netloc, here.path) == (there.scheme, there.netloc, there.path.rstrip("/"))
    except ValueError:
        return None
    return None if not same or there.fragment or there.query == here.query else there.geturl()


def _with_page(url: str, number: int) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name != "page"]
    return parts._replace(query=urlencode([*query, ("page", number)])).geturl()


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:  # noqa: PLR2004
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**9 else None


def _fields(text: str) -> Generator[tuple[str, Any], None, None]:
    """The fields of an object, and each entry of its list of jobs as a field of its own."""
    at = _skip(text, 0)
    if text[at] != "{":
        raise ValueError
    at = _skip(text, at + 1)
    while text[at] != "}":
        name, at = _value(text, at)
        at = _skip(text, at)
        if not isinstance(name, str) or text[at] != ":":
            raise ValueError
        at = _skip(text, at + 1)
        if name == _JOBS and text[at] == "[":
            yield _JOBS, None  # even a list without entries is a list
            at = yield from _entries(text, at)
        else:
            value, at = _value(text, at)
            if name != _JOBS:
                yield name, value
        at = _after_comma(text, at, "}")
    if text[at + 1 :].strip(_SPACE):
        raise ValueError


def _entries(text: str, at: int) -> Generator[tuple[str, Any], None, int]:
    at = _skip(text, at + 1)
    while text[at] != "]":
        entry, at = _value(text, at)
        yield _JOBS, entry
        at = _after_comma(text, at, "]")
    return at + 1


def _after_comma(text: str, at: int, end: str) -> int:
    at = _skip(text, at)
    if text[at] == end:
        return at
    if text[at] != ",":
        raise ValueError
    at = _skip(text, at + 1)
    if text[at] == end:
        raise ValueError
    return at


def _skip(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _entry(raw: object, job_type: str) -> JobDetails | None:
    if not isinstance(raw, dict):
        return None
    job_id, status = read_id(raw), read_status(raw)
    if job_id is None or not 0 < job_id <= MAX_JOB_ID or status is None:
        return None
    if raw.get("job_type") not in (None, job_type):
        return None
    return details_of(raw, job_id, status)
