"""The API's list of jobs, valid and invalid."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.gem.lists import described, next_page, read_list

ROADS = "ROAD_MATCHING"


def job(job_id: object, status: object = "IN_PROGRESS", job_type: object = ROADS) -> dict[str, Any]:
    return {"job_id": job_id, "status": status, "job_type": job_type}


def read(*jobs: object) -> dict[int, str]:
    return statuses(json.dumps({"jobs": jobs}))


def statuses(text: str) -> dict[int, str]:
    jobs, _ = read_list(text, ROADS)
    return {job_id: job.status for job_id, job in jobs.items()}


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
        statuses(text)


@given(
    st.text()
    | st.recursive(st.none() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)).map(
        json.dumps
    )
)
def test_any_text_gives_statuses_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert all(isinstance(key, int) for key in statuses(text))


@given(
    st.dictionaries(
        st.sampled_from(["jobs", "next", "x"]),
        st.recursive(st.none() | st.floats() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)),
    ),
    st.sampled_from([None, 1]),
)
def test_list_is_json_exactly_if_python_says_so(document: dict[str, object], indent: int | None) -> None:
    text = json.dumps({"jobs": [job(1)], **document}, indent=indent)
    is_list = isinstance(json.loads(text)["jobs"], list)
    with suppress(ValueError):
        statuses(text)
        assert is_list
    for cut in (text[:-1], text + "}", text.replace(":", "", 1), text.replace("[", "[,", 1)):
        with suppress(ValueError):
            json.loads(cut)
            continue
        with pytest.raises(ValueError, match="the list "):
            statuses(cut)


def test_entry_keeps_what_rules_match() -> None:
    entry = {**job(1), "storage_id": "s", "input_filename": "nl.parquet", "overture_release": "2026-01-21.0"}
    jobs, _ = read_list(json.dumps({"jobs": [entry]}), ROADS)
    found = jobs[1]
    assert (found.storage_id, found.input_filename, found.overture_release) == ("s", "nl.parquet", "2026-01-21.0")


def test_entries_that_differ_count_as_not_listed() -> None:
    one, other = {**job(1), "input_filename": "a"}, {**job(1), "input_filename": "b"}
    assert read(one, other, job(2)) == {2: "IN_PROGRESS"}


HERE = "http://127.0.0.1:8080/gem/jobs?job_type=ROAD_MATCHING"


@pytest.mark.parametrize(
    ("hints", "after"),
    [
        ({}, None),
        ({"next": None}, None),
        ({"next": "?job_type=ROAD_MATCHING&page=2"}, "?job_type=ROAD_MATCHING&page=2"),
        ({"next": "/gem/jobs?cursor=x"}, "?cursor=x"),
        ({"next": f"{HERE}&page=2"}, "?job_type=ROAD_MATCHING&page=2"),
        ({"next": 2}, "?job_type=ROAD_MATCHING&page=2"),
        ({"next_page": "3"}, "?job_type=ROAD_MATCHING&page=3"),
        ({"page": 1, "pages": 2}, "?job_type=ROAD_MATCHING&page=2"),
        ({"page": 2, "total_pages": 2}, None),
        ({"next": 1}, None),
        ({"next": True}, None),
        ({"next": HERE}, None),  # no progress
        ({"next": "https://elsewhere.example.com/gem/jobs?page=2"}, None),
        ({"next": "http://127.0.0.1:8081/gem/jobs?page=2"}, None),
        ({"next": "http://me@127.0.0.1:8080/gem/jobs?page=2"}, None),
        ({"next": "//elsewhere.example.com/gem/jobs?page=2"}, None),
        ({"next": "/gem/keys?page=2"}, None),
        ({"next": "?page=2#x"}, None),
        ({"next": "?page=2 HTTP/1.1"}, None),
        ({"next": {"page": 2}}, None),
        ({"next": "http://[/gem/jobs?page=2"}, None),
    ],
    ids=str,
)
def test_only_plain_links_and_later_pages_are_followed(hints: dict[str, object], after: str | None) -> None:
    wanted = None if after is None else HERE.partition("?")[0] + after
    assert next_page(HERE, hints) == wanted


def test_hints_are_described_without_their_texts() -> None:
    hints = {"next": "https://example.com/?key=secret", "total": 12, "page": "1", "has_more": True, "pages": [1]}
    shown = {"next": "a link", "total": "12", "page": "1", "has_more": "true", "pages": "an object"}
    assert described(hints) == shown
