"""The page's script words times and durations as the server does."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gemwatch.core.text import formatting
from gemwatch.web.pages.static_files import FOLDER
from support.browser import browsing, needs_chromium

pytestmark = needs_chromium
NOW = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)
SECONDS = [0, 1, 59, 60, 61, 3599, 3600, 3660, 86399, 86400, 2 * 86400 - 1, 2 * 86400, 2 * 86400 + 3600, 400 * 86400]
TIMES = [
    *(NOW + sign * timedelta(seconds=seconds) for seconds in SECONDS for sign in (1, -1)),
    *(datetime(2026, month, 1, 0, 5, 9, tzinfo=UTC) for month in range(1, 13)),
    datetime(2025, 12, 31, 23, 30, tzinfo=UTC),
    datetime(2026, 2, 17, 23, 30, tzinfo=UTC),
]
SCRIPT = """async ([source, now, times, seconds]) => {
  const { moment, distance, span } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
  const at = new Date(now);
  const each = (words) => times.map((time) => words(new Date(time), at));
  return [each(moment), each(distance), seconds.map(span)];
}"""


@pytest.mark.parametrize("zone", ["UTC", "Europe/Amsterdam", "Asia/Kolkata", "America/St_Johns"])
def test_script_formats_times_like_the_server(zone: str) -> None:
    source = (FOLDER / "times.js").read_text()
    with browsing() as browser:
        page = browser.new_context(timezone_id=zone).new_page()
        given = [source, NOW.isoformat(), [time.isoformat() for time in TIMES], SECONDS]
        moments, distances, spans = page.evaluate(SCRIPT, given)
    assert moments == [formatting.moment(time, NOW, ZoneInfo(zone)) for time in TIMES]
    assert distances == [formatting.distance(time, NOW) for time in TIMES]
    assert spans == [formatting.span(timedelta(seconds=seconds)) for seconds in SECONDS]


def test_poll_whose_time_has_passed_is_due() -> None:
    source = (FOLDER / "times.js").read_text()
    shown = """async (source) => {
      const { tick, showTimes } = await import(`data:text/javascript,${encodeURIComponent(source)}`);
      const at = (away) => new Date(Date.now() + away).toISOString();
      const time = (how, away) => `<time data-how="${how}" datetime="${at(away)}"></time>`;
      document.body.innerHTML = time("until", -5000) + time("until", 65000) + time("ago", -5000);
      const words = () => [...document.querySelectorAll("time")].map((one) => one.textContent);
      tick(document);
      const ticked = words();
      showTimes(document);
      return [ticked, words()];
    }"""
    with browsing() as browser:
        ticked, loaded = browser.new_page().evaluate(shown, source)
    assert ticked == loaded == ["due", "in 1 min", "5 s ago"]
