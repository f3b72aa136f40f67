"""A GEM job as an answer describes it, and the possible results of a poll."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus

from gemwatch.core.refusals import Culprit, http_status

NOT_FOUND, NEEDS_REVIEW = "not-found", "needs-review"  # what pages count a job as, in place of its status
UNSEEN = "not seen yet"  # in place of the status of a job that has not been seen


class Status(StrEnum):
    """The statuses that TomTom documents. The API may send others, which stay unchanged."""

    REQUESTED = "REQUESTED"
    IN_PROGRESS = "IN_PROGRESS"
    FAILED = "FAILED"
    SUCCESS = "SUCCESS"


ENDS = (Status.SUCCESS, Status.FAILED)


def is_end(status: str | None) -> bool:
    """Whether a job with this status is finished. An undocumented status does not count as finished."""
    return status in ENDS


def is_known(status: str | None) -> bool:
    """Whether TomTom documents this status."""
    return status in Status.__members__


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """GEM's statistics; None for missing ones. Ratios are 0 to 1.

    `unclear` names the ratios that the answer had in an ambiguous or invalid form.
    """

    confidence_threshold: int | None = None
    execution_time: timedelta | None = None
    kilometres: float | None = None
    roads: int | None = None
    matched: float | None = None
    fully_matched: float | None = None
    partially_matched: float | None = None
    unmatched: float | None = None
    unclear: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetails:
    """One answer about one job, read by adapters/gem/wire.py. Only id and status are always present.

    A documented status is one of `Status`, regardless of its case in the answer. Other statuses are unchanged.
    `failure`: the answer's texts about why the job failed, safe to show.
    """

    job_id: int
    status: str
    storage_id: str | None = None
    input_filename: str | None = None
    result_filename: str | None = None
    job_type: str | None = None
    overture_release: str | None = None
    orbis_version: str | None = None
    requested_at: datetime | None = None
    statistics: Statistics | None = None
    failure: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A valid answer about the polled job. Only this can change its status. `raw`: its JSON text."""

    at: datetime
    job: JobDetails
    raw: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotFound:
    """404: the API does not know the job."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """401 or 403 despite a renewed token, or no token at all (`certain`).

    `reason` is complete and includes the API's own `words`. `remedy`: what to do, with the exact command.
    """

    at: datetime
    reason: str
    certain: bool = False
    culprit: Culprit = Culprit.UNKNOWN
    status: int | None = None
    words: str = ""
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """The API asks gemwatch to wait, for `retry_after` if it names a time: 429, 503, or 403 for the rate.

    `asked`: whether a request was sent. If not, the pause from an earlier answer still applies.
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
    """No usable answer: a network failure, a 5xx, a timeout, or (`bad`) an invalid answer."""

    at: datetime
    sent_at: datetime
    reason: str
    bad: bool = False


Observation = Seen | NotFound | Refused | Throttled | Failed
