"""How a wait for jobs ends: what became of each job, which of it counts for all, and the exit code that says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """What became of a job, or of a wait as a whole."""

    SUCCESS = "success"
    NEEDS_REVIEW = "needs-review"  # SUCCESS, but a person should look at the result before it is used
    FAILED = "failed"
    NOT_FOUND = "not-found"
    LOGIN_REFUSED = "login-refused"
    UNKNOWN_STATUS = "unknown-status"  # a status that gemwatch does not know, where that ends a wait
    TIMED_OUT = "timed-out"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"


EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.SUCCESS: 0,
    Outcome.FAILED: 1,  # 2 is for usage and configuration, as with every command
    Outcome.NEEDS_REVIEW: 3,
    Outcome.LOGIN_REFUSED: 4,
    Outcome.NOT_FOUND: 5,
    Outcome.UNKNOWN_STATUS: 6,
    Outcome.TIMED_OUT: 124,  # as with timeout(1)
    Outcome.INTERRUPTED: 130,  # 128 and the signal's number, as shells have it
    Outcome.TERMINATED: 143,
}

# What is certain about a job comes first, then what kept it from being known, then remarks.
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
class Terms:
    """When a wait is over. `any_one`: once a job has ended; `fail_fast`: once anything has gone wrong for good.

    `unknown_ends`: a status that is not known ends the wait for its job.
    """

    any_one: bool = False
    fail_fast: bool = False
    unknown_ends: bool = False


def over(outcomes: Sequence[Outcome | None], terms: Terms) -> Outcome | None:
    """The outcome of a wait, or None while it continues. An outcome that is None: that job is still waited for.

    With `any_one` only a job that ended counts, as long as one still may: a job that is not found has not ended.
    """
    known = [one for one in outcomes if one is not None]
    if terms.fail_fast and not _WENT_WRONG.isdisjoint(known):
        return _worst(known)
    if terms.any_one and (ended := [one for one in known if one in _ENDED]):
        return _worst(ended)
    return _worst(known) if len(known) == len(outcomes) else None


def out_of_time(outcomes: Sequence[Outcome | None], terms: Terms) -> Outcome:
    """What a wait has come to whose time is up. A failure that was seen is still the thing to know."""
    known = [one for one in outcomes if one is not None and not terms.any_one]
    return _worst([*known, Outcome.TIMED_OUT])


def _worst(outcomes: Sequence[Outcome]) -> Outcome:
    return min(outcomes, key=_WORST_FIRST.index)
