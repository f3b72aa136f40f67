"""What a job id is, wherever one is read: in a configuration, on a command line, in the address of a page."""

import re

MAX_JOB_ID = 2**63 - 1
NOT_A_JOB_ID = f"is not a job id; write an integer from 1 to {MAX_JOB_ID}"
"""Follows the value, where that may be shown, in every message about a bad id."""

_DIGITS = re.compile(r"[1-9][0-9]{0,18}")


def job_id_of(value: object) -> int | None:
    """The id that an integer or its decimal digits stand for; None for everything else."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    return value if type(value) is int and 1 <= value <= MAX_JOB_ID else None
