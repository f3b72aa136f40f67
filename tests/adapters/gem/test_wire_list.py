"""The API's list of jobs, valid and invalid."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.gem.wire import read_statuses

ROADS = "ROAD_MATCHING"


def job(job_id: object, status: object = "IN_PROGRESS", job_type: object = ROADS) -> dict[str, Any]:
    return {"job_id": job_id, "status": status, "job_type": job_type}


def read(*jobs: object) -> dict[int, str]:
    return read_statuses(json.dumps({"jobs": jobs}), ROADS)


def test_list_has_the_status_of_each_job() -> None:
    assert read(job(1, "REQUESTED"), job("2"), job(3, "SUCCESS")) == {1: "REQUESTED", 2: "IN_PROGRESS", 3: "SUCCESS"}


@pytest.mark.parametrize(
    "odd",
    [
        None,
        7,
        "x",
        [],
        {},
        job(True),
        job(None),
        job(1.5),
        job(9, None),
        job(9, ""),
        job(9, "a\nb"),
        job(9, job_type="X"),
    ],
)
def test_invalid_entry_counts_as_not_listed(odd: object) -> None:
    assert read(odd, job(1)) == {1: "IN_PROGRESS"}


def test_job_with_two_statuses_counts_as_not_listed() -> None:
    assert read(job(1, "REQUESTED"), job(1, "SUCCESS"), job(1, "REQUESTED"), job(2), job(2)) == {2: "IN_PROGRESS"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"jobs": {}}', '{"jobs": null}', "<html>", "[" * 100_000]
)
def test_text_that_is_not_a_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the list "):
        read_statuses(text, ROADS)


@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        json.dumps
    )
)
def test_any_text_gives_statuses_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert all(isinstance(key, int) for key in read_statuses(text, ROADS))
