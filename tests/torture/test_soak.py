"""The verdict of the soak. The soak itself runs for half an hour: `make soak`."""

import math

import pytest

from torture.soak import NOISE, grows_steadily

HOUR = [minute / 60 for minute in range(60)]


@pytest.mark.parametrize(
    ("values", "grows"),
    [
        ([125.6 + 13.6 * hour for hour in HOUR], True),
        ([125.6 + 13.6 * hour + 0.4 * math.sin(90 * hour) for hour in HOUR], True),
        ([120 + 10 * (1 - math.exp(-12 * hour)) for hour in HOUR], False),  # a cache that fills
        ([120 + 3 * math.sin(12 * hour) for hour in HOUR], False),
        ([120.0] * 60, False),
        ([120 + hour for hour in HOUR], False),  # noise
        ([], False),
    ],
    ids=["leak", "noisy leak", "cache", "waves", "flat", "noise", "nothing"],
)
def test_soak_fails_on_steady_growth(values: list[float], *, grows: bool) -> None:
    assert grows_steadily(values, NOISE["rss_mib"]) is grows
