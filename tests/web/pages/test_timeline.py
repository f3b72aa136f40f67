"""The strip of a job's life."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.store.reads.rows import TransitionRow
from gemwatch.web.pages.timeline import timeline

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NOW = START + 100 * MINUTE


def move(before: str | None, to: str, seen: int | None, at: int) -> TransitionRow:
    return TransitionRow(
        job_id=7,
        before=before,
        after=to,
        last_seen_before=None if seen is None else START + seen * MINUTE,
        observed_at=START + at * MINUTE,
    )


RUNNING = [move(None, "REQUESTED", None, 10), move("REQUESTED", "IN_PROGRESS", 20, 30)]


def test_time_between_two_polls_is_drawn_as_unknown() -> None:
    shown = timeline(RUNNING, START, NOW)
    assert [(part.kind, part.x, part.width) for part in shown.parts] == [
        ("before", 0, 10),
        ("wait", 10, 10),
        ("run", 30, 70),
    ]
    assert [(gap.x, gap.width) for gap in shown.gaps] == [(20, 10)]
    assert (shown.start_word, shown.end_word) == ("requested", "now")


def test_step_shows_the_previous_poll_and_its_certainty() -> None:
    first, second = timeline(RUNNING, START, NOW).steps
    assert (first.words, first.after) == ("first poll", None)
    assert (second.words, second.after, second.gap) == ("last seen waiting", START + 20 * MINUTE, "10 min")


def test_timeline_ends_where_the_end_was_seen() -> None:
    shown = timeline([*RUNNING, move("IN_PROGRESS", "SUCCESS", 49, 50)], START, NOW)
    assert (shown.end, shown.end_word) == (START + 50 * MINUTE, "seen finished")


def test_short_gap_is_drawn_at_a_visible_width() -> None:
    shown = timeline([*RUNNING, move("IN_PROGRESS", "SUCCESS", 9_999, 10_000)], START, NOW)
    assert shown.gaps[-1].width == 0.5
    assert shown.gaps[-1].x + shown.gaps[-1].width <= 100


def test_job_that_ended_before_its_first_poll_is_one_step() -> None:
    shown = timeline([move(None, "FAILED", None, 5)], None, NOW)
    assert [step.words for step in shown.steps] == ["first poll; it had already finished"]


def test_unpolled_job_has_no_timeline() -> None:
    assert timeline([], START, NOW).steps == ()


minutes = st.integers(-500, 500)
moves = st.lists(
    st.builds(
        move,
        st.sampled_from(["REQUESTED", "ODD", None]),
        st.sampled_from(["IN_PROGRESS", "FAILED", "X"]),
        minutes,
        minutes,
    ),
    max_size=8,
)


@given(moves, st.none() | minutes)
def test_timeline_stays_within_bounds_for_any_clock(seen: list[TransitionRow], requested: int | None) -> None:
    shown = timeline(seen, None if requested is None else START + requested * MINUTE, NOW)
    assert len(shown.steps) == len(seen)
    for part in (*shown.parts, *shown.gaps):
        assert 0 <= part.x <= part.x + part.width <= 100.01
