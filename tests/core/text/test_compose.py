"""Messages about events. The golden files have the full texts."""

from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.events import Event
from gemwatch.core.kinds import EventKind, Facts, UnknownFacts
from gemwatch.core.text.compose import compose
from gemwatch.core.text.message import LONGEST_TITLE
from gemwatch.core.text.rendering import Format, Rendered, render
from support.messages import AT, ESTIMATE, PROBLEM, job, service


def text(event_id: int, event: Event, now: datetime = AT, most: int | None = None) -> Rendered:
    return render(compose(event_id, event, now=now), Format.TEXT, most)


@pytest.mark.parametrize(
    ("later", "first"),
    [
        (timedelta(minutes=2), "Result: test_data.results.parquet"),
        (
            timedelta(hours=26, minutes=5),
            "Delayed: observed 18 Feb 2026, 13:21:07 UTC, sent 26 h 5 min later",
        ),
        (-timedelta(hours=1), "Result: test_data.results.parquet"),
    ],
)
def test_late_message_says_when_it_was_observed(later: timedelta, first: str) -> None:
    assert text(1, job(EventKind.SUCCESS, "SUCCESS"), AT + later).body.partition("\n")[0] == first


def test_missing_numbers_leave_no_gap() -> None:
    statistics = {"roads_fully_matched_ratio": 0.5, "kms_processed": 7.25}
    shown = {"job_id": 7, "status": "SUCCESS", "statistics": statistics}
    lines = text(1, job(EventKind.SUCCESS, "SUCCESS", document=shown)).body.splitlines()
    assert lines[:3] == [
        "Matched: 50.0 % fully",
        "Length: 7.2 km",
        "Seen finished: 18 Feb 2026, 13:21:07 UTC; last seen running 13:20:05 UTC",
    ]


def test_many_mistakes_are_shown_as_ten_and_a_number() -> None:
    body = text(1, service(EventKind.CONFIG, over=False, refused=True, problems=[PROBLEM] * 12)).body
    assert body.count(PROBLEM) == 10
    assert "and 2 more, see gemwatch check" in body


@pytest.mark.parametrize(
    ("most", "body"),
    [
        (90, "Result: test_data.results.parquet\nInput: test_data.parquet\nStorage: storage-001\n\ngw-4711"),
        (45, "Result: test_data.results.parquet\n\ngw-4711"),
        (30, "Result: test_…parquet\n\ngw-4711"),
        (9, "gw-4711"),
        (0, "gw-4711"),
    ],
)
def test_text_that_does_not_fit_leaves_the_id(most: int, body: str) -> None:
    assert text(4711, job(EventKind.SUCCESS, "SUCCESS"), most=most).body == body


TEXT = st.text(max_size=50)
TIME = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2990, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (the zone follows)
BY_TYPE: dict[type, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(1, 2**63 - 1),
    float: st.floats(0, 1e15),
    datetime: TIME,
    timedelta: st.timedeltas(timedelta(), timedelta(days=36_500)),
}
for of, strategy in BY_TYPE.items():
    st.register_type_strategy(of, strategy)
FACTS = st.one_of(*(st.from_type(one) for one in get_args(Facts) if one is not UnknownFacts))
EVENTS = st.builds(Event, at=TIME, job_id=st.none() | st.integers(1, 2**63 - 1), name=st.none() | TEXT, facts=FACTS)


@given(EVENTS, st.datetimes(timezones=st.just(UTC)), st.none() | st.integers(10, 400), st.sampled_from(Format))
def test_any_facts_make_a_message(event: Event, now: datetime, most: int | None, form: Format) -> None:
    message = render(compose(4711, event, now=now), form, most)
    assert "\n" not in message.title
    assert 0 < len(message.title) <= LONGEST_TITLE
    assert message.body.removesuffix("</p>").endswith("gw-4711")
    assert most is None or len(message.body) <= max(most, len("<p>gw-4711</p>"))


@pytest.mark.parametrize(
    ("earliest", "latest", "shown"),
    [
        ("16:05:31", "16:05:58", "16:05:40 UTC; 8 in 10 end between 16:05:31 and 16:05:58 UTC;"),
        ("16:00:00", "16:10:00", "16:05 UTC; 8 in 10 end between 16:00 and 16:10 UTC;"),
    ],
)
def test_expected_end_is_as_exact_as_its_range(earliest: str, latest: str, shown: str) -> None:
    narrow = {"earliest": f"2026-02-18T{earliest}+00:00", "latest": f"2026-02-18T{latest}+00:00"}
    event = job(EventKind.STARTED, "IN_PROGRESS", 7, before="REQUESTED", estimate={**ESTIMATE, **narrow})
    assert f"Expected end: 18 Feb 2026, {shown}" in text(1, event).body
