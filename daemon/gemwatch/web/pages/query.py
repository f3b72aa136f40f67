"""What a page shows, and the links that show something else."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from gemwatch.core.job import NEEDS_REVIEW, NOT_FOUND, UNSEEN, Status
from gemwatch.core.lists.rules import LONGEST_NAME
from gemwatch.web.pages import words
from gemwatch.web.pages.words import Badge

ROWS = 100  # on one page
_LONGEST_SEARCH, _LONGEST_STATUS, _LAST_PAGE = 200, 64, 1_000_000
PROBLEMS_FIRST = "problems"
_DESCENDING_FIRST = ("status_since", "last_polled_at", "duration")  # the latest and the longest first
_COLUMNS = (
    ("Status", "c-status", "status"),
    ("Since", "c-since", "status_since"),
    ("Job", "c-job", "name"),
    ("Progress and result", "c-progress", "matched"),
    ("Polls", "c-polls", "next_poll_at"),
)
_STATES = {UNSEEN: words.UNSEEN, NOT_FOUND: words.NOT_FOUND, NEEDS_REVIEW: words.NEEDS_REVIEW}
_ORDERS = {
    "problems": "problems first",
    "expected_end": "by expected end",
    "matched": "by matched share",
    "duration": "by execution time",
    "status": "by status",
    "status_since": "by the time of their last change",
    "name": "by name",
    "job_id": "by id",
    "next_poll_at": "by their next poll",
    "last_polled_at": "by their last poll",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What the list of jobs shows. `state` is a status, or a word in place of one: see `Views.states`.

    `group`: only its members, also those that are no longer watched.
    """

    group: str | None = None
    search: str = ""
    state: str | None = None
    sort: str = PROBLEMS_FIRST
    descending: bool = False
    page: int = 1

    @property
    def offset(self) -> int:
        return (self.page - 1) * ROWS

    @property
    def watched(self) -> bool | None:
        """What a job has to be; None: either."""
        return None if self.group else True

    def url(self) -> str:
        return _address("/", self._parameters())

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """The parameters that a new search keeps."""
        return tuple(one for one in self._parameters() if one[0] not in ("q", "page"))

    def _parameters(self) -> list[tuple[str, str]]:
        found = [
            ("group", self.group or ""),
            ("q", self.search),
            ("status", self.state or ""),
        ]
        usual = ListQuery()
        if (self.sort, self.descending) != (usual.sort, usual.descending):
            found += [("sort", self.sort), ("order", "descending" if self.descending else "ascending")]
        if self.page > 1:
            found.append(("page", str(self.page)))
        return [(name, value) for name, value in found if value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter, with the number of jobs that match it."""

    word: str
    count: int
    url: str
    current: bool
    tone: str = ""
    icon: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A column's header; `order` is its current order, if the list is sorted by it."""

    word: str
    kind: str
    url: str
    order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """The position within the pages of a list."""

    number: int
    last: int
    total: int
    first_row: int
    last_row: int
    previous: str | None
    next: str | None

    @property
    def missing(self) -> bool:
        """Whether this page does not exist."""
        return self.number > self.last


def counts_of(jobs: Mapping[str | None, int]) -> dict[str, int]:
    """How many watched jobs have which status, UNSEEN among them."""
    return {status or UNSEEN: number for status, number in jobs.items()}


def query(asked: Mapping[str, str]) -> ListQuery:
    usual = ListQuery()
    sort = asked.get("sort", "")
    known = sort in _ORDERS
    state = asked.get("status", "")[:_LONGEST_STATUS] or None
    return ListQuery(
        group=asked.get("group", "")[:LONGEST_NAME] or None,
        search=" ".join(asked.get("q", "")[:_LONGEST_SEARCH].split()),
        state=NEEDS_REVIEW if asked.get("needs_review") == "true" else state,
        sort=sort if known else usual.sort,
        descending=asked.get("order") == "descending" if known else usual.descending,
        page=page_number(asked),
    )


def page_number(asked: Mapping[str, str]) -> int:
    text = asked.get("page", "")
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_PAGE))
    return min(max(1, int(text)), _LAST_PAGE) if digits else 1


def chips(asked: ListQuery, counts: Mapping[str, int]) -> tuple[Chip, ...]:
    """All, then each state that occurs, problems first. Each job that matches the search counts once."""
    everything = replace(asked, state=None, page=1)
    first = Chip(word="All", count=sum(counts.values()), url=everything.url(), current=asked.state is None)
    return (first, *_state_chips(asked, counts))


def badge_of(state: str) -> Badge:
    return _STATES.get(state) or words.of_status(state)


def _state_chips(asked: ListQuery, counts: Mapping[str, int]) -> Iterator[Chip]:
    usual = [*_STATES, *Status]
    others = sorted(state for state in counts if state not in usual)
    order = (
        Status.FAILED,
        NEEDS_REVIEW,
        NOT_FOUND,
        UNSEEN,
        Status.REQUESTED,
        Status.IN_PROGRESS,
        *others,
        Status.SUCCESS,
    )
    for state in order:
        count, current = counts.get(state, 0), asked.state == state
        if count or current:
            yield _chip(badge_of(state), count, replace(asked, state=str(state), page=1), current=current)


def _chip(badge: Badge, count: int, leads_to: ListQuery, *, current: bool) -> Chip:
    return Chip(word=badge.word, count=count, url=leads_to.url(), current=current, tone=badge.tone, icon=badge.icon)


def columns(asked: ListQuery) -> tuple[Header, ...]:
    return tuple(_column(asked, word, kind, sort) for word, kind, sort in _COLUMNS)


def _column(asked: ListQuery, word: str, kind: str, sort: str) -> Header:
    sorted_by = asked.sort == sort
    descending = not asked.descending if sorted_by else sort in _DESCENDING_FIRST
    order = ("descending" if asked.descending else "ascending") if sorted_by else None
    return Header(
        word=word, kind=kind, order=order, url=replace(asked, sort=sort, descending=descending, page=1).url()
    )


def order_words(asked: ListQuery) -> str:
    if asked.sort == PROBLEMS_FIRST:
        return _ORDERS[PROBLEMS_FIRST]
    return f"{_ORDERS[asked.sort]}, {'descending' if asked.descending else 'ascending'}"


def orders(asked: ListQuery) -> tuple[Chip, ...]:
    """Orders that no column header offers."""
    return tuple(
        Chip(
            word=_ORDERS[sort].capitalize(),
            count=0,
            url=replace(asked, sort=sort, descending=sort in _DESCENDING_FIRST, page=1).url(),
            current=asked.sort == sort,
        )
        for sort in ("problems", "expected_end", "duration")
    )


def pager(asked: ListQuery, total: int) -> Pager:
    return _pager(asked.page, total, lambda page: replace(asked, page=page).url())


def delivery_pager(state: str | None, number: int, total: int) -> Pager:
    def address(page: int) -> str:
        parameters = [("state", state or ""), ("page", str(page) if page > 1 else "")]
        return _address("/deliveries", [(name, value) for name, value in parameters if value])

    return _pager(number, total, address)


def group_pager(number: int, total: int) -> Pager:
    return _pager(number, total, lambda page: f"/groups?page={page}")


def group_url(name: str) -> str:
    return ListQuery(group=name).url()


def _pager(number: int, total: int, address: Callable[[int], str]) -> Pager:
    last = max(1, -(-total // ROWS))
    return Pager(
        number=number,
        last=last,
        total=total,
        first_row=min(total, (number - 1) * ROWS + 1),
        last_row=min(total, number * ROWS),
        previous=address(number - 1) if 1 < number <= last else None,
        next=address(number + 1) if number < last else None,
    )


def _address(path: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
