"""What a page was asked to show, and the addresses that ask for something else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from gemwatch.adapters.store.json_shapes import UNSEEN
from gemwatch.core.job import Status
from gemwatch.web.pages import words
from gemwatch.web.pages.words import Badge

ROWS = 100  # on one page
_LONGEST_SEARCH, _LONGEST_STATUS, _LAST_PAGE = 200, 64, 1_000_000
NEWEST_FIRST = "status_since"
_FALLING_FIRST = ("status_since", "last_polled_at")  # what one wants first of a time is the latest
_COLUMNS = (
    ("Status", "c-status", "status"),
    ("Since", "c-since", "status_since"),
    ("Job", "c-job", "name"),
    ("Progress and result", "c-progress", None),
    ("Polls", "c-polls", "next_poll_at"),
)
_ORDERS = {
    "status": "by status",
    "status_since": "by the time of their last change",
    "name": "by name",
    "job_id": "by id",
    "next_poll_at": "by their next poll",
    "last_polled_at": "by their last poll",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What the list of jobs shows. What an address asks for in vain is left out, not complained about."""

    search: str = ""
    status: str | None = None
    needs_review: bool = False
    sort: str = NEWEST_FIRST
    descending: bool = True
    page: int = 1

    @property
    def offset(self) -> int:
        return (self.page - 1) * ROWS

    def url(self) -> str:
        return _address("/", self._parameters())

    @property
    def kept(self) -> tuple[tuple[str, str], ...]:
        """What a new search leaves as it is."""
        return tuple(one for one in self._parameters() if one[0] not in ("q", "page"))

    def _parameters(self) -> list[tuple[str, str]]:
        found = [
            ("q", self.search),
            ("status", self.status or ""),
            ("needs_review", "true" if self.needs_review else ""),
        ]
        usual = ListQuery()
        if (self.sort, self.descending) != (usual.sort, usual.descending):
            found += [("sort", self.sort), ("order", "descending" if self.descending else "ascending")]
        if self.page > 1:
            found.append(("page", str(self.page)))
        return [(name, value) for name, value in found if value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter, with how much it lets through."""

    word: str
    count: int
    url: str
    current: bool
    tone: str = ""
    icon: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column's head; `order` is how it is sorted now, where it is."""

    word: str
    kind: str
    url: str | None = None
    order: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Where one is among the pages of a list."""

    number: int
    last: int
    total: int
    first_row: int
    last_row: int
    previous: str | None
    next: str | None


def query(asked: Mapping[str, str]) -> ListQuery:
    usual = ListQuery()
    sort = asked.get("sort", "")
    known = sort in _ORDERS
    return ListQuery(
        search=" ".join(asked.get("q", "")[:_LONGEST_SEARCH].split()),
        status=asked.get("status", "")[:_LONGEST_STATUS] or None,
        needs_review=asked.get("needs_review") == "true",
        sort=sort if known else usual.sort,
        descending=asked.get("order") == "descending" if known else usual.descending,
        page=page_number(asked),
    )


def page_number(asked: Mapping[str, str]) -> int:
    text = asked.get("page", "")
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(_LAST_PAGE))
    return min(max(1, int(text)), _LAST_PAGE) if digits else 1


def chips(asked: ListQuery, counts: Mapping[str, int], doubtful: int) -> tuple[Chip, ...]:
    """All, then each status that there is, in the order of a job's life, then the successes that need a look."""
    everything = replace(asked, status=None, needs_review=False, page=1)
    current = asked.status is None and not asked.needs_review
    first = Chip(word="All", count=sum(counts.values()), url=everything.url(), current=current)
    chosen = (first, *_status_chips(asked, counts))
    if not doubtful and not asked.needs_review:
        return chosen
    poll_once = replace(everything, needs_review=True)
    return (*chosen, _chip(words.NEEDS_REVIEW, doubtful, poll_once, current=asked.needs_review))


def _status_chips(asked: ListQuery, counts: Mapping[str, int]) -> Iterator[Chip]:
    usual = [UNSEEN, *Status]
    others = sorted(status for status in {*counts, asked.status or UNSEEN} if status not in usual)
    for status in (UNSEEN, Status.REQUESTED, Status.IN_PROGRESS, *others, Status.SUCCESS, Status.FAILED):
        count, current = counts.get(status, 0), asked.status == status
        if count or current:
            badge = words.UNSEEN if status == UNSEEN else words.of_status(status)
            yield _chip(badge, count, replace(asked, status=str(status), needs_review=False, page=1), current=current)


def _chip(badge: Badge, count: int, leads_to: ListQuery, *, current: bool) -> Chip:
    return Chip(word=badge.word, count=count, url=leads_to.url(), current=current, tone=badge.tone, icon=badge.icon)


def columns(asked: ListQuery) -> tuple[Column, ...]:
    return tuple(_column(asked, word, kind, sort) for word, kind, sort in _COLUMNS)


def _column(asked: ListQuery, word: str, kind: str, sort: str | None) -> Column:
    if sort is None:
        return Column(word=word, kind=kind)
    sorted_by = asked.sort == sort
    descending = not asked.descending if sorted_by else sort in _FALLING_FIRST
    order = ("descending" if asked.descending else "ascending") if sorted_by else None
    return Column(
        word=word, kind=kind, order=order, url=replace(asked, sort=sort, descending=descending, page=1).url()
    )


def order_words(asked: ListQuery) -> str:
    return f"{_ORDERS[asked.sort]}, {'descending' if asked.descending else 'ascending'}"


def pager(asked: ListQuery, total: int) -> Pager:
    def address(number: int) -> str:
        return replace(asked, page=number).url()

    return _pager(asked.page, total, address(asked.page - 1), address(asked.page + 1))


def delivery_pager(state: str | None, number: int, total: int) -> Pager:
    def address(page: int) -> str:
        parameters = [("state", state or ""), ("page", str(page) if page > 1 else "")]
        return _address("/deliveries", [(name, value) for name, value in parameters if value])

    return _pager(number, total, address(number - 1), address(number + 1))


def _pager(number: int, total: int, before: str, after: str) -> Pager:
    last = max(1, -(-total // ROWS))
    return Pager(
        number=number,
        last=last,
        total=total,
        first_row=min(total, (number - 1) * ROWS + 1),
        last_row=min(total, number * ROWS),
        previous=before if number > 1 else None,
        next=after if number < last else None,
    )


def _address(path: str, parameters: Sequence[tuple[str, str]]) -> str:
    return f"{path}?{urlencode(parameters)}" if parameters else path
