"""The outcome of a wait: of each job, of the whole wait, and its exit code."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a job or of a whole wait."""

    SUCCESS = "success"
    NEEDS_REVIEW = "needs-review"  # SUCCESS, but a person should review the result before use
    FAILED = "failed"
    NOT_FOUND = "not-found"
    LOGIN_REFUSED = "login-refused"
    UNKNOWN_STATUS = "unknown-status"  # an unknown status, if that ends a wait
    TIMED_OUT = "timed-out"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"


EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.SUCCESS: 0,
    Outcome.FAILED: 1,  # 2 means wrong usage or configuration, as for every command
    Outcome.NEEDS_REVIEW: 3,
    Outcome.LOGIN_REFUSED: 4,
    Outcome.NOT_FOUND: 5,
    Outcome.UNKNOWN_STATUS: 6,
    Outcome.TIMED_OUT: 124,  # like timeout(1)
    Outcome.INTERRUPTED: 130,  # 128 plus the signal's number, like in shells
    Outcome.TERMINATED: 143,
}

# First what is certain about a job, then what prevented knowing it, then remarks.
_WORST_FIRST = (
    Outcome.FAILED,
    Outcome.NOT_FOUND,
    Outcome.LOGIN_REFUSED,
    Outcome.TIMED_OUT,
    Outcome.UNKNOWN_STATUS,
    Outcome.NEEDS_REVIEW,
    Outcome.SUCCESS,
)
_ENDED = frozenset({Outcome.SUCCESS, Outcome.NEEDS_REVIEW, Outcome.FAILED, Outcome.UNKNOWN_STATUS})
_WENT_WRONG = frozenset({Outcome.FAILED, Outcome.NOT_FOUND, Outcome.LOGIN_REFUSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitTerms:
    """When a wait is over. `any_one`: when a job has ended. `fail_fast`: when anything has failed for good.

    `unknown_ends`: an unknown status ends the wait for its job.
    """

    any_one: bool = False
    fail_fast: bool = False
    unknown_ends: bool = False


def over(outcomes: Sequence[Outcome | None], terms: WaitTerms) -> Outcome | None:
    """The outcome of a wait, or None while it continues. Jobs with the outcome None have not ended.

    With `any_one`, only ended jobs count while another one may still end: a job that is not found has not ended.
    """
    known = [one for one in outcomes if one is not None]
    if terms.fail_fast and not _WENT_WRONG.isdisjoint(known):
        return _worst(known)
    if terms.any_one and (ended := [one for one in known if one in _ENDED]):
        return _worst(ended)
    return _worst(known) if len(known) == len(outcomes) else None


def out_of_time(outcomes: Sequence[Outcome | None], terms: WaitTerms) -> Outcome:
    """The outcome of a wait that ran out of time. A failure that was seen takes precedence."""
    known = [one for one in outcomes if one is not None and not terms.any_one]
    return _worst([*known, Outcome.TIMED_OUT])


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    return min(outcomes, key=_WORST_FIRST.index)
