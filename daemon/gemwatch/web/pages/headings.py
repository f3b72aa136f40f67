"""What stands above lists, and in place of one without rows."""

from collections.abc import Mapping

from gemwatch.core.job import Status
from gemwatch.core.text import formatting
from gemwatch.web.pages import words
from gemwatch.web.pages.deliveries import FAILED_FIRST
from gemwatch.web.pages.query import Chip, ListQuery, Pager, badge_of


def heading(counts: Mapping[str, int]) -> str:
    """For the browser's tab: what readers want to see there."""
    running = counts.get(Status.IN_PROGRESS, 0)
    return f"{running:,} running" if running else "Jobs"


def summary(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    return f"{formatting.counted(sum(counts.values()), 'job', 'jobs')} watched"


def no_page(pages: Pager) -> str:
    there = "there is only one page" if pages.last == 1 else f"the last page is {pages.last:,}"
    return f"There is no page {pages.number:,}: {there}"


def nothing(asked: ListQuery, pages: Pager, counts: Mapping[str, int]) -> str:
    """Why no job is shown."""
    if pages.missing:
        return no_page(pages)
    if asked.state is not None and not asked.search and asked.state not in counts:
        kind = "job of the group" if asked.group else "watched job"
        return f"No {kind} has the status {badge_of(asked.state).word}"
    return "No job matches"


def state_chips(state: str | None, counts: Mapping[str, int]) -> list[Chip]:
    """The states of deliveries."""
    first = Chip(word="All", count=sum(counts.values()), url="/deliveries", current=state is None)
    badges = [(one, words.of_state(one)) for one in FAILED_FIRST]
    return [
        first,
        *(
            Chip(
                word=badge.word,
                count=counts[one],
                url=f"/deliveries?state={one}",
                current=one == state,
                tone=badge.tone,
                icon=badge.icon,
            )
            for one, badge in badges
        ),
    ]
