"""Events in words, exactly as they are sent."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.events import JOB_EVENTS, Event, EventKind, Tone
from gemwatch.core.text.message import LONGEST_TITLE, compose
from support.gem import document

AT = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)


def job(kind: EventKind, status: str, job_id: int = 123456790, **facts: Any) -> Event:
    usual = {
        "name": "Netherlands weekly",
        "status": status,
        "before": "IN_PROGRESS",
        "first_sight": False,
        "last_seen_before": "2026-02-18T13:20:05+00:00",
        "running_since": "2026-02-18T10:41:00+00:00",
        "document": json.dumps(document(job_id, status)),
    }
    return Event(kind=kind, at=AT, job_id=job_id, facts={**usual, **facts})


def service(kind: EventKind, job_id: int | None = None, **facts: Any) -> Event:
    return Event(kind=kind, at=AT, job_id=job_id, facts=facts)


LANES = json.dumps(
    document(7, "FAILED", job_type="LANE_LEVEL_MATCHING", overture_release=None, orbis_version="MAP1.204")
)
ESTIMATE = {
    "ends_at": "2026-02-18T16:05:40+00:00",
    "earliest": "2026-02-18T15:50:00+00:00",
    "latest": "2026-02-19T00:10:00+00:00",
    "runs": 12,
    "basis": "input",
}
PREVIOUS = {
    "job_id": 5,
    "ended_at": "2026-02-11T10:00:00+00:00",
    "matched": 0.861,
    "roads": 401002,
    "kilometres": 80900.4,
    "running_seconds": 9600.0,
    "changed": [["Overture release", "2025-12-17.0", "2026-01-21.0"]],
}
FIRST_SIGHT = {"name": None, "before": None, "first_sight": True, "last_seen_before": None, "running_since": None}
PROBLEM = "/etc/gemwatch/config.yaml:14:22: notify.data-mail.url: Apprise cannot read it"

TEXTS = [
    (
        job(EventKind.SUCCESS, "SUCCESS"),
        Tone.GOOD,
        """\
SUCCESS: Netherlands weekly (job 123456790)

Result: test_data.results.parquet
Input: test_data.parquet
Storage: storage-001
Matched: 84.7 % (67.5 % fully, 17.2 % partially)
Unmatched: 15.3 %
Roads: 397,613 (80,208 km)
Confidence threshold: 60
Seen finished: 18 Feb 2026, 13:21:07 UTC (last seen running 13:20:05)
Execution time: 2 h 42 min
Requested: 18 Feb 2026, 10:38:59 UTC
Type: ROAD_MATCHING, Overture release 2026-01-21.0

gw-4711""",
    ),
    (
        job(EventKind.FAILED, "FAILED", 7, name=None, document=LANES),
        Tone.BAD,
        """\
FAILED: job 7

Input: test_data.parquet
Storage: storage-001
Seen finished: 18 Feb 2026, 13:21:07 UTC (last seen running 13:20:05)
Seen running for: 2 h 40 min
Requested: 18 Feb 2026, 10:38:59 UTC
Type: LANE_LEVEL_MATCHING, Orbis version MAP1.204

gw-4711""",
    ),
    (
        job(EventKind.FAILED, "FAILED", 7, document='{"job_id": 7, "status": "FAILED"}', **FIRST_SIGHT),
        Tone.BAD,
        """\
FAILED: job 7

Seen finished: 18 Feb 2026, 13:21:07 UTC (had already ended when gemwatch first looked)

gw-4711""",
    ),
    (
        job(EventKind.STARTED, "IN_PROGRESS", before="REQUESTED", last_seen_before="2026-02-17T23:00:00Z"),
        Tone.PLAIN,
        """\
STARTED: Netherlands weekly (job 123456790)

Input: test_data.parquet
Storage: storage-001
Seen running: 18 Feb 2026, 13:21:07 UTC (last seen waiting 17 Feb 2026, 23:00:00 UTC)
Requested: 18 Feb 2026, 10:38:59 UTC
Type: ROAD_MATCHING, Overture release 2026-01-21.0

gw-4711""",
    ),
    (
        job(EventKind.STARTED, "IN_PROGRESS", 7, before="REQUESTED", estimate=ESTIMATE),
        Tone.PLAIN,
        """\
STARTED: Netherlands weekly (job 7)

Expected end: 18 Feb 2026, 16:05 UTC (8 in 10 end between 15:50 and 19 Feb 2026, 00:10; 12 runs of the same input)
Input: test_data.parquet
Storage: storage-001
Seen running: 18 Feb 2026, 13:21:07 UTC (last seen waiting 13:20:05)
Requested: 18 Feb 2026, 10:38:59 UTC
Type: ROAD_MATCHING, Overture release 2026-01-21.0

gw-4711""",
    ),
    (
        job(EventKind.SUCCESS, "SUCCESS", 7, previous=PREVIOUS),
        Tone.GOOD,
        """\
SUCCESS: Netherlands weekly (job 7)

Result: test_data.results.parquet
Input: test_data.parquet
Storage: storage-001
Matched: 84.7 % (67.5 % fully, 17.2 % partially); before: 86.1 %
Unmatched: 15.3 %
Roads: 397,613 (80,208 km); before: 401,002 (80,900 km)
Confidence threshold: 60
Before: job 5 on the same input, seen finished 11 Feb 2026, 10:00:00 UTC
Changed since: Overture release 2026-01-21.0 (before: 2025-12-17.0)
Seen finished: 18 Feb 2026, 13:21:07 UTC (last seen running 13:20:05)
Execution time: 2 h 42 min; before: 2 h 40 min
Requested: 18 Feb 2026, 10:38:59 UTC
Type: ROAD_MATCHING, Overture release 2026-01-21.0

gw-4711""",
    ),
    (
        job(
            EventKind.NEEDS_REVIEW,
            "SUCCESS",
            7,
            previous=PREVIOUS,
            reasons=[
                "matched 84.7 %, below the floor of 90.0 %",
                "matched 84.7 %, 6.0 points less than the 90.7 % before",
            ],
        ),
        Tone.WARNING,
        """\
SUCCESS, needs review: Netherlands weekly (job 7)

Why: matched 84.7 %, below the floor of 90.0 %
Why: matched 84.7 %, 6.0 points less than the 90.7 % before
Meaning: GEM says SUCCESS, but the numbers are not what the gate in the configuration wants. \
The run before was asked for differently: that may be why.
To do: look at the result before it is used.
Result: test_data.results.parquet
Input: test_data.parquet
Storage: storage-001
Matched: 84.7 % (67.5 % fully, 17.2 % partially); before: 86.1 %
Unmatched: 15.3 %
Roads: 397,613 (80,208 km); before: 401,002 (80,900 km)
Confidence threshold: 60
Before: job 5 on the same input, seen finished 11 Feb 2026, 10:00:00 UTC
Changed since: Overture release 2026-01-21.0 (before: 2025-12-17.0)
Seen finished: 18 Feb 2026, 13:21:07 UTC (last seen running 13:20:05)
Execution time: 2 h 42 min; before: 2 h 40 min
Requested: 18 Feb 2026, 10:38:59 UTC
Type: ROAD_MATCHING, Overture release 2026-01-21.0

gw-4711""",
    ),
    (
        job(EventKind.QUEUED_TOO_LONG, "REQUESTED", 7, since="2026-02-18T11:00:00Z", limit_seconds=7200),
        Tone.WARNING,
        """\
QUEUED TOO LONG: Netherlands weekly (job 7)

Waiting for 2 h 21 min, since 18 Feb 2026, 11:00:00 UTC; the limit is 2 h.
Meaning: GEM has not started it yet. It is still watched, and its end is told.
To do: if others start meanwhile, ask TomTom with the job's id; else wait, the queue may be long.
Input: test_data.parquet
Storage: storage-001
Observed: 18 Feb 2026, 13:21:07 UTC
Requested: 18 Feb 2026, 10:38:59 UTC
Type: ROAD_MATCHING, Overture release 2026-01-21.0

gw-4711""",
    ),
    (
        job(
            EventKind.RUNNING_TOO_LONG,
            "IN_PROGRESS",
            7,
            since="2026-02-18T01:00:00Z",
            limit_seconds=28800,
            limit_runs=5,
            limit_basis="release",
            document=None,
        ),
        Tone.WARNING,
        """\
RUNNING TOO LONG: Netherlands weekly (job 7)

Running for 12 h 21 min, since 18 Feb 2026, 01:00:00 UTC; the limit is 8 h, judging by \
5 runs of the same job type and release.
Meaning: it may hang, or has more to match than usual. It is still watched, and its end is told.
To do: compare the input with earlier ones; if it does not end, ask TomTom with the job's id.
Observed: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        job(EventKind.FINISHED_TOO_FAST, "SUCCESS", 7, ran_seconds=42.5, limit_seconds=300, document=None),
        Tone.WARNING,
        """\
FINISHED TOO FAST: Netherlands weekly (job 7)

GEM says SUCCESS after only 42 s; the least is 5 min.
Meaning: the input may have been empty, cut short or the wrong file.
To do: look at the input and the result before it is used.
Observed: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        job(EventKind.NOT_FOUND, "IN_PROGRESS", 7, misses=3),
        Tone.WARNING,
        """\
NOT FOUND: Netherlands weekly (job 7)

The GEM API has answered 3 times in a row that it knows no such job.
Last seen: IN_PROGRESS, 18 Feb 2026, 13:20:05 UTC
Meaning: its end cannot be told while this lasts. gemwatch goes on asking, a few times an hour.
To do: check the id and the account. If the job was deleted: gemwatch unwatch 7
Observed: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        service(
            EventKind.LOGIN,
            over=False,
            reason="az ended with 1: \"Please run 'az login'\"",
            since=AT.isoformat(),
            remedy="On the host, as user gemwatch: az login --scope https://gem.example.com/user_impersonation",
        ),
        Tone.BAD,
        """\
gemwatch: login refused

The GEM API no longer lets gemwatch in.
Reason: az ended with 1: "Please run 'az login'"
Meaning: no job is polled until the login works. No end is lost: what ended meanwhile is told then.
To do: On the host, as user gemwatch: az login --scope https://gem.example.com/user_impersonation
Since: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        service(EventKind.LOGIN, over=True, since="2026-02-18T10:00:00+00:00"),
        Tone.GOOD,
        """\
gemwatch: login works again

The GEM API lets gemwatch in again.
Meaning: all jobs are polled again, and what ended meanwhile is told now.
To do: nothing.
Lasted: 3 h 21 min, from 18 Feb 2026, 10:00:00 UTC to 13:21:07

gw-4711""",
    ),
    (
        service(EventKind.LOGIN, 7, name="Belgium", over=False, reason="HTTP 403", since=AT.isoformat()),
        Tone.BAD,
        """\
gemwatch: login refused for Belgium (job 7)

The GEM API refuses this one job, while it answers about others.
Reason: HTTP 403
Meaning: only this job's end cannot be told. gemwatch goes on asking, a few times an hour.
To do: check the id, and that this account may see the job. To stop asking: gemwatch unwatch 7
Since: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        service(EventKind.LOGIN, 7, over=True, since=None),
        Tone.GOOD,
        """\
gemwatch: login works again for job 7

The GEM API answers about this job again.
Meaning: it is polled as usual.
To do: nothing.
Observed: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        service(EventKind.API, over=False, reason="no answer in 30 s", since="2026-02-18T13:11:00+00:00"),
        Tone.BAD,
        """\
gemwatch: the GEM API does not answer

There has been no good answer from the GEM API for 10 min.
Reason: no answer in 30 s
Meaning: no job's end can be seen now. gemwatch goes on trying, and what ended meanwhile is told then.
To do: if the trouble is at TomTom, nothing. Otherwise check network, proxy and DNS of the host; \
gemwatch check --online tries it at once
Since: 18 Feb 2026, 13:11:00 UTC

gw-4711""",
    ),
    (
        service(EventKind.API, over=True, since="2026-02-16T10:00:00+00:00"),
        Tone.GOOD,
        """\
gemwatch: the GEM API answers again

The GEM API answers again.
Meaning: all jobs are polled again, and what ended meanwhile is told now.
To do: nothing.
Lasted: 2 d 3 h, from 16 Feb 2026, 10:00:00 UTC to 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        service(EventKind.CONFIG, over=False, refused=True, problems=[PROBLEM]),
        Tone.BAD,
        f"""\
gemwatch: configuration refused

The configuration that was saved has mistakes, so none of it is applied.
{PROBLEM}
Meaning: gemwatch goes on with the last good configuration. Jobs added since then are not watched.
To do: correct the file and save it; it is read again by itself. gemwatch check tries it before
Observed: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        service(EventKind.CONFIG, over=False, refused=False, problems=[PROBLEM, PROBLEM]),
        Tone.BAD,
        f"""\
gemwatch: 2 watch entries set aside

These entries of the watch list have mistakes, so they are set aside; the others are applied.
{PROBLEM}
{PROBLEM}
Meaning: the jobs of these entries are not watched as they say. All others are.
To do: correct the file and save it; it is read again by itself. gemwatch check tries it before
Observed: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
    (
        service(EventKind.CONFIG, over=True),
        Tone.GOOD,
        """\
gemwatch: configuration in order again

The configuration has no more mistakes and is applied as it is.
To do: nothing.
Observed: 18 Feb 2026, 13:21:07 UTC

gw-4711""",
    ),
]


@pytest.mark.parametrize(("event", "tone", "text"), TEXTS, ids=[text.partition("\n")[0] for _, _, text in TEXTS])
def test_the_exact_text(event: Event, tone: Tone, text: str) -> None:
    message = compose(4711, event, now=AT)
    assert f"{message.title}\n\n{message.body}" == text
    assert message.tone == tone


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
def test_a_late_message_says_when_it_was_observed(later: timedelta, first: str) -> None:
    assert compose(1, job(EventKind.SUCCESS, "SUCCESS"), now=AT + later).body.partition("\n")[0] == first


def test_numbers_that_are_missing_leave_no_gap() -> None:
    statistics = {"roads_fully_matched_ratio": 0.5, "kms_processed": 7.25}
    text = json.dumps({"job_id": 7, "status": "SUCCESS", "statistics": statistics})
    lines = compose(1, job(EventKind.SUCCESS, "SUCCESS", document=text), now=AT).body.splitlines()
    assert lines[:3] == [
        "Matched: 50.0 % fully",
        "Length: 7.2 km",
        "Seen finished: 18 Feb 2026, 13:21:07 UTC (last seen running 13:20:05)",
    ]


def test_many_mistakes_are_told_as_ten_and_a_number() -> None:
    body = compose(1, service(EventKind.CONFIG, refused=True, problems=[PROBLEM] * 12), now=AT).body
    assert body.count(PROBLEM) == 10
    assert "and 2 more: gemwatch check shows all" in body


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
def test_what_does_not_fit_is_left_out_from_below_and_the_id_stays(most: int, body: str) -> None:
    assert compose(4711, job(EventKind.SUCCESS, "SUCCESS"), now=AT, most=most).body == body


KEYS = [
    *("document", "name", "status", "before", "first_sight", "last_seen_before", "running_since", "misses"),
    *("over", "reason", "since", "remedy", "problems", "refused"),
    *("estimate", "previous", "reasons", "limit_seconds", "limit_runs", "limit_basis", "ran_seconds"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes().map(datetime.isoformat),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
DOCUMENT = st.fixed_dictionaries(
    {"job_id": st.integers(1, 2**63), "status": st.text(min_size=1, max_size=9)},
    optional={
        **dict.fromkeys(("input_filename", "result_filename", "storage_id", "job_type", "orbis_version"), JSON),
        "requested_at": JSON,
        "statistics": st.dictionaries(
            st.sampled_from(list(document(1, "SUCCESS")["statistics"])),
            JSON,
        ),
    },
)


def parts(usual: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Facts within the facts, some as they should be and some not."""
    return st.fixed_dictionaries({}, optional={key: st.just(value) | JSON for key, value in usual.items()})


EVENTS = st.builds(
    Event,
    kind=st.sampled_from(EventKind),
    at=st.datetimes(timezones=st.just(UTC)),
    job_id=st.none() | st.integers(1, 2**63 - 1),
    facts=st.dictionaries(st.sampled_from(KEYS), JSON)
    | st.fixed_dictionaries(
        {"document": DOCUMENT.map(json.dumps), "previous": parts(PREVIOUS), "estimate": parts(ESTIMATE)},
        optional=dict.fromkeys(set(KEYS) - {"document", "previous", "estimate"}, st.booleans() | JSON),
    ),
)


@given(EVENTS, st.datetimes(timezones=st.just(UTC)), st.none() | st.integers(10, 400))
def test_whatever_the_facts_are_there_is_a_sound_message(event: Event, now: datetime, most: int | None) -> None:
    message = compose(4711, event, now=now, most=most)
    assert message.title.isprintable()
    assert 0 < len(message.title) <= LONGEST_TITLE
    assert all(line.isprintable() for line in message.body.split("\n"))
    assert message.body.split("\n")[-1] == "gw-4711"
    assert most is None or len(message.body) <= most
    if event.kind in JOB_EVENTS:
        assert not set("<>*~`|@") & set((message.title + message.body).replace("[@]", ""))
        assert "://" not in message.body


@pytest.mark.parametrize(
    ("earliest", "latest", "told"),
    [
        ("16:05:31", "16:05:58", "16:05:40 UTC (8 in 10 end between 16:05:31 and 16:05:58;"),
        ("16:00:00", "16:10:00", "16:05 UTC (8 in 10 end between 16:00 and 16:10;"),
    ],
)
def test_an_expected_end_is_told_as_exactly_as_it_can_be_known(earliest: str, latest: str, told: str) -> None:
    narrow = {"earliest": f"2026-02-18T{earliest}+00:00", "latest": f"2026-02-18T{latest}+00:00"}
    event = job(EventKind.STARTED, "IN_PROGRESS", 7, before="REQUESTED", estimate={**ESTIMATE, **narrow})
    assert f"Expected end: 18 Feb 2026, {told}" in compose(1, event, now=event.at).body
