"""When to retry: polls with full jitter, deliveries with growing pauses."""

from datetime import timedelta

POLL_FIRST = timedelta(seconds=2)
POLL_MOST = timedelta(minutes=5)
DELIVERY_FIRST = timedelta(seconds=5)
DELIVERY_MOST = timedelta(minutes=15)
THROTTLED_LEAST = timedelta(minutes=1)
THROTTLED_MOST = timedelta(hours=1)  # a longer time from a service may be a mistake


def poll_pause(failures: int, roll: float) -> timedelta:
    """The pause before the next poll of a job whose last `failures` polls failed (1 or more).

    Exponential backoff with full jitter: `roll`, drawn from [0, 1), spreads the polls evenly over the whole
    span, so that thousands of jobs do not come back as one wave (M. Brooker, "Exponential Backoff And
    Jitter", 2015). At least half a second, so that a low roll does not become a busy loop.
    """
    span = _doubled(POLL_FIRST, failures - 1, POLL_MOST)
    return max(timedelta(seconds=0.5), span * roll)


def delivery_pause(attempts: int) -> timedelta:
    """The pause after the failed attempt number `attempts` (1 or more): 5 s, then doubling, at most 15 min."""
    return _doubled(DELIVERY_FIRST, attempts - 1, DELIVERY_MOST)


def _doubled(first: timedelta, times: int, most: timedelta) -> timedelta:
    return min(most, first * (1 << min(times, 20)))
