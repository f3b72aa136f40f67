"""A single rule for job ids."""

import pytest

from gemwatch.core.job_id import MAX_JOB_ID, job_id_of


@pytest.mark.parametrize("value", [1, "1", 123456789, "123456789", MAX_JOB_ID, str(MAX_JOB_ID)])
def test_job_id_is_an_integer_or_its_digits(value: object) -> None:
    assert job_id_of(value) == int(str(value))


@pytest.mark.parametrize(
    "value",
    [
        *(0, -1, MAX_JOB_ID + 1, str(MAX_JOB_ID + 1), "9" * 5000, "0", "-1", "+1", "01", " 1", "1\n", "1_0", "1.0"),
        *(1.0, True, None, "", "x", "\u0661", "\uff11", [1], {"job": 1}),
    ],
)
def test_job_id_is_nothing_else(value: object) -> None:
    assert job_id_of(value) is None
