"""What a page is asked to show, and the addresses that ask for something else."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.web.pages.query import ListQuery, chips, columns, pager, query

words = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), max_size=60)
queries = st.builds(
    ListQuery,
    search=words,
    state=st.none() | words.filter(bool),
    sort=st.sampled_from(["problems", "matched", "expected_end", "duration", "status", "status_since", "name"]),
    descending=st.booleans(),
    page=st.integers(1, 1_000_000),
)


def asked(url: str) -> ListQuery:
    return query(dict(parse_qsl(urlsplit(url).query)))


@given(queries)
def test_query_round_trips_through_its_url(wanted: ListQuery) -> None:
    assert asked(wanted.url()) == wanted


@given(st.dictionaries(st.sampled_from(["q", "status", "needs_review", "sort", "order", "page"]), st.text()))
def test_query_takes_any_parameters(parameters: dict[str, str]) -> None:
    found = query(parameters)
    assert found.page >= 1
    assert len(found.search) <= 200


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "٣", "9" * 40, "1e3"])
def test_page_that_is_not_a_number_is_the_first(page: str) -> None:
    assert query({"page": page}).page == 1


def test_chips_are_ordered_problems_first_and_add_up() -> None:
    counts = {"SUCCESS": 5, "ODD": 1, "IN_PROGRESS": 2, "not seen yet": 3, "REQUESTED": 4, "FAILED": 6}
    shown = [(chip.word, chip.count) for chip in chips(ListQuery(), {**counts, "needs-review": 2, "not-found": 1})]
    assert shown == [
        ("All", 24),
        ("Failed", 6),
        ("Needs review", 2),
        ("Not found", 1),
        ("Not seen yet", 3),
        ("Waiting", 4),
        ("Running", 2),
        ("ODD", 1),
        ("Succeeded", 5),
    ]


def test_chip_keeps_search_and_order_and_resets_the_page() -> None:
    wanted = ListQuery(search="roads", sort="name", descending=False, page=3)
    assert asked(chips(wanted, {"FAILED": 1})[1].url) == ListQuery(
        search="roads", state="FAILED", sort="name", descending=False
    )


def test_chips_do_not_invent_a_status() -> None:
    chosen = chips(ListQuery(state="FAILED"), {})
    assert [(chip.word, chip.current) for chip in chosen] == [("All", False), ("Failed", True)]
    assert [chip.word for chip in chips(ListQuery(state="DONE"), {"SUCCESS": 1})] == ["All", "Succeeded"]


def test_query_takes_the_earlier_word_for_needs_review() -> None:
    assert query({"needs_review": "true"}).state == "needs-review"


def test_sorted_column_offers_the_reverse() -> None:
    by_name = ListQuery(sort="name", descending=False)
    assert [(c.word, c.order) for c in columns(by_name) if c.order] == [("Job", "ascending")]
    turned = next(column for column in columns(by_name) if column.word == "Job")
    assert turned.url is not None
    assert asked(turned.url) == ListQuery(sort="name", descending=True)


@given(st.integers(1, 200), st.integers(0, 20_000))
def test_pager_leads_from_the_first_to_the_last(number: int, total: int) -> None:
    found = pager(ListQuery(page=number), total)
    assert found.last == max(1, -(-total // 100))
    assert (found.next is None) == (number >= found.last)
    assert (found.previous is None) == (number == 1 or number > found.last)
    assert found.missing == (number > found.last)
    assert found.next is None or asked(found.next).page == number + 1
