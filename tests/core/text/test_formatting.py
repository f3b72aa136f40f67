"""Times, durations, counts and sizes in words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gemwatch.core.text import formatting

AT = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("UTC", "18 Feb 2026, 13:21:07 UTC"),
        ("Europe/London", "18 Feb 2026, 13:21:07 UTC"),
        ("Europe/Amsterdam", "18 Feb 2026, 14:21:07 CET (13:21:07 UTC)"),
        ("America/Sao_Paulo", "18 Feb 2026, 10:21:07 UTC-03:00 (13:21:07 UTC)"),
        ("Asia/Kathmandu", "18 Feb 2026, 19:06:07 UTC+05:45 (13:21:07 UTC)"),
        ("Pacific/Auckland", "19 Feb 2026, 02:21:07 NZDT (18 Feb 2026, 13:21:07 UTC)"),
    ],
)
def test_time_names_its_zone_and_utc(zone: str, shown: str) -> None:
    assert formatting.point(AT, ZoneInfo(zone)) == shown


def test_near_time_has_a_date_only_on_another_day() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    assert formatting.near(AT - timedelta(hours=1), AT, zone) == "13:21:07 CET (12:21:07 UTC)"
    assert formatting.near(AT - timedelta(days=1), AT, zone) == "17 Feb 2026, 14:21:07 CET (13:21:07 UTC)"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1536, "1.5 KiB"),
        (5 * 2**30, "5.0 GiB"),
        (2**51, "2,048.0 TiB"),
    ],
)
def test_size_has_a_fitting_unit(number: int, shown: str) -> None:
    assert formatting.size(number) == shown


def test_counted_words_agree_with_their_number() -> None:
    assert [formatting.counted(number, "time", "times") for number in (1, 2, 1000)] == [
        "1 time",
        "2 times",
        "1,000 times",
    ]
    assert formatting.listed(map(str, range(5)), 3) == "0, 1, 2 and 2 more"
