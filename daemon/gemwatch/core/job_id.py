"""Reads a job id, from a configuration, a command line or the address of a page."""

import re

MAX_JOB_ID = 2**63 - 1
NOT_A_JOB_ID = f"is not a job id; write an integer from 1 to {MAX_JOB_ID}"
"""Every message about an invalid id ends with this, after the value if that is safe to show."""

_DIGITS = re.compile(r"[1-9][0-9]{0,18}")


def job_id_of(value: object) -> int | None:
    """The id from an integer or its decimal digits; None for everything else."""
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        value = int(value)
    return value if type(value) is int and 1 <= value <= MAX_JOB_ID else None
