"""Reading a job's details: id and status must be valid, and other fields never hide them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.gem.wire import read_details
from gemwatch.core.job import Statistics
from support.gem import document


def test_documented_example_is_read_completely() -> None:
    job = read_details(json.dumps(document(123456789, "SUCCESS")))
    assert (job.job_id, job.status, job.storage_id) == (123456789, "SUCCESS", "storage-001")
    assert (job.input_filename, job.result_filename) == ("test_data.parquet", "test_data.results.parquet")
    assert (job.job_type, job.overture_release, job.orbis_version) == ("ROAD_MATCHING", "2026-01-21.0", None)
    assert job.requested_at == datetime(2026, 2, 18, 10, 38, 59, 31762, tzinfo=UTC)
    assert job.statistics == Statistics(
        confidence_threshold=60,
        execution_time=timedelta(seconds=9751),
        kilometres=80208.39,
        roads=397613,
        matched=0.8468,
        fully_matched=0.675,
        partially_matched=0.1718,
        unmatched=0.1531,
    )


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", '"x"', "{", "<html>", '{"job_id": 7}', '{"status": "SUCCESS"}', "NaN", "[" * 100_000]
    + [json.dumps({"job_id": 7, "status": s}) for s in (None, 3, "", ["SUCCESS"], "x" * 65, "A\nB")]
    + [json.dumps({"job_id": i, "status": "SUCCESS"}) for i in (None, True, 7.0, "seven", "-7", [7], "0" * 20 + "7")],
)
def test_answer_without_valid_id_and_status_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="the answer"):
        read_details(text)


@pytest.mark.parametrize("status", ["CANCELLED", "Paused", "In progress"])
def test_unknown_status_is_kept_unchanged(status: str) -> None:
    assert read_details(json.dumps({"job_id": 7, "status": status})).status == status


@pytest.mark.parametrize(
    ("raw", "roads", "matched"),
    [
        ({"num_roads_processed": "397613", "roads_matched_ratio": "0.5"}, 397613, 0.5),
        ({"num_roads_processed": None, "roads_matched_ratio": None}, None, None),
        ({"num_roads_processed": True, "roads_matched_ratio": []}, None, None),
        ({"num_roads_processed": -1, "roads_matched_ratio": 100.5}, None, None),
        ({"num_roads_processed": float("nan"), "roads_matched_ratio": float("inf")}, None, None),
    ],
)
def test_odd_numbers_are_read_where_they_make_sense(raw: dict[str, Any], roads: Any, matched: Any) -> None:
    job = read_details(json.dumps({"job_id": 7, "status": "SUCCESS", "statistics": raw}))
    assert job.statistics is not None
    assert (job.statistics.roads, job.statistics.matched) == (roads, matched)


@pytest.mark.parametrize(
    ("text", "year"),
    [
        ("2026-02-18T10:38:59", 2026),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59Z", None),
        ("9999-12-31T23:59:59-14:00", None),
    ],
)
def test_implausible_time_is_none(text: str, year: int | None) -> None:
    requested_at = read_details(json.dumps({"job_id": 7, "status": "SUCCESS", "requested_at": text})).requested_at
    assert (requested_at and requested_at.year) == year


TEXTS = st.text() | st.text(st.characters(categories=["Cs"]))  # JSON can contain lone surrogates
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries({}, optional={key: JSON for key in (*document(7, "SUCCESS"), "novelty") if key != "job_id"})
)
def test_optional_fields_never_hide_the_status(fields: dict[str, Any]) -> None:
    job = read_details(json.dumps({**fields, "job_id": 7, "status": "SUCCESS"}))
    assert (job.job_id, job.status) == (7, "SUCCESS")
    texts = (job.storage_id, job.input_filename, job.result_filename, job.job_type, job.overture_release)
    assert all((text or "").encode() is not None for text in texts)  # otherwise the store could not hold them


@pytest.mark.parametrize(("depth", "read"), [(31, True), (32, False), (900, False), (200_000, False)])
def test_deeply_nested_answer_is_refused(depth: int, read: bool) -> None:  # noqa: FBT001
    document = '{"job_id": 1, "status": "SUCCESS", "x": ' + "[" * depth + "]" * depth + "}"
    if read:
        assert read_details(document).status == "SUCCESS"
    else:
        with pytest.raises(ValueError, match=r"nested|not JSON"):
            read_details(document)


@pytest.mark.parametrize("status", ["success", "Success", "SUCCESS"])
def test_documented_status_matches_in_any_case(status: str) -> None:
    assert read_details(json.dumps({"job_id": 7, "status": status})).status == "SUCCESS"


def statistics(**ratios: Any) -> Statistics:
    named = {f"roads_{name}_ratio": value for name, value in ratios.items()}
    found = read_details(json.dumps({"job_id": 7, "status": "SUCCESS", "statistics": named})).statistics
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "ratio"),
    [
        (0.8468, 0.8468),
        ("0.8468", 0.8468),
        (84.68, 0.8468),
        ("84.68", 0.8468),
        ("84.68%", 0.8468),
        (" 84.68 % ", 0.8468),
        ("0.5 %", 0.005),
        ("100%", 1),
        (0, 0),
        (1, 1),
        (100, 1),
    ],
)
def test_unambiguous_ratio_is_read(value: Any, ratio: float) -> None:
    found = statistics(matched=value)
    assert found.matched == pytest.approx(ratio)
    assert found.unclear == ()


@pytest.mark.parametrize("value", [-1, 100.5, "84,68%", "150%", "most", [], True, float("nan")])
def test_ambiguous_ratio_is_marked_unclear(value: Any) -> None:
    found = statistics(matched=value)
    assert (found.matched, found.unclear) == (None, ("matched",))


def test_ratio_up_to_one_is_unclear_next_to_per_cent() -> None:
    found = statistics(matched=99.4, unmatched=0.6, fully_matched=0)
    assert (found.matched, found.fully_matched, found.unmatched) == (pytest.approx(0.994), 0, None)
    assert found.unclear == ("unmatched",)


def test_missing_ratio_is_not_unclear() -> None:
    assert statistics(matched=None).unclear == ()


def failure(status: str = "FAILED", **fields: Any) -> tuple[str, ...]:
    return read_details(json.dumps({"job_id": 7, "status": status, **fields})).failure


@pytest.mark.parametrize(
    "name",
    [
        *("message", "error", "reason", "detail", "description", "cause", "failure_text", "status_message"),
        *("last_error", "errorMessage", "failureReason", "errors", "MESSAGE"),
    ],
)
def test_failure_is_read_from_error_like_fields(name: str) -> None:
    assert failure(**{name: "column geometry is missing"}) == ("column geometry is missing",)
    assert failure(**{name: ["column geometry is missing", 7]}) == ("column geometry is missing",)


def test_failure_is_read_one_level_deep() -> None:
    found = failure(
        message="Validation failed",
        error={"code": "E12", "detail": "column 'geometry'", "inner": {"message": "too deep"}},
        errors=[{"message": "row 7", "line": 3}],
        job={"reason": "of the job"},
        input_filename="no-error.parquet",
    )
    assert found == ("Validation failed", "column 'geometry'", "row 7", "of the job")


def test_failure_is_one_short_line_without_secrets() -> None:
    (text,) = failure(message="bad\r\nfile\x1b[31m https://me:pw@store.example.com/a.parquet?sig=S3CRET#x \u202e end")
    assert text == "bad file [31m https://store.example.com/a.parquet?… end"
    (long,) = failure(message="x" * 5000)
    assert len(long) == 300


def test_failure_texts_are_few_and_different() -> None:
    assert failure(message="same", reason="same") == ("same",)
    assert len(failure(errors=[str(number) for number in range(50)])) == 5


@pytest.mark.parametrize("status", ["SUCCESS", "REQUESTED", "IN_PROGRESS"])
def test_job_that_has_not_failed_has_no_failure(status: str) -> None:
    assert failure(status, description="weekly run") == ()


def test_unknown_status_keeps_its_reason() -> None:
    assert failure("CANCELLED", reason="by the operator") == ("by the operator",)
