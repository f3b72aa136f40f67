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
    status=st.none() | words.filter(bool),
    needs_review=st.booleans(),
    sort=st.sampled_from(["status", "status_since", "name", "job_id", "next_poll_at", "last_polled_at"]),
    descending=st.booleans(),
    page=st.integers(1, 1_000_000),
)


def asked(url: str) -> ListQuery:
    return query(dict(parse_qsl(urlsplit(url).query)))


@given(queries)
def test_an_address_asks_for_what_it_was_made_from(wanted: ListQuery) -> None:
    assert asked(wanted.url()) == wanted


@given(st.dictionaries(st.sampled_from(["q", "status", "needs_review", "sort", "order", "page"]), st.text()))
def test_nothing_that_is_asked_for_is_a_fault(parameters: dict[str, str]) -> None:
    found = query(parameters)
    assert found.page >= 1
    assert len(found.search) <= 200


@pytest.mark.parametrize("page", ["0", "-1", "x", "", "٣", "9" * 40, "1e3"])
def test_a_page_that_is_no_number_is_the_first(page: str) -> None:
    assert query({"page": page}).page == 1


def test_filters_stand_in_the_order_of_a_jobs_life_with_their_counts() -> None:
    counts = {"SUCCESS": 5, "ODD": 1, "IN_PROGRESS": 2, "not seen yet": 3, "REQUESTED": 4, "FAILED": 6}
    shown = [(chip.word, chip.count) for chip in chips(ListQuery(), counts, 2)]
    assert shown == [
        ("All", 21),
        ("Not seen yet", 3),
        ("Waiting", 4),
        ("Running", 2),
        ("ODD", 1),
        ("Succeeded", 5),
        ("Failed", 6),
        ("Needs review", 2),
    ]


def test_a_filter_keeps_the_search_and_the_order_and_goes_to_the_first_page() -> None:
    wanted = ListQuery(search="roads", sort="name", descending=False, page=3)
    assert asked(chips(wanted, {"FAILED": 1}, 0)[1].url) == ListQuery(
        search="roads", status="FAILED", sort="name", descending=False
    )


def test_a_filter_that_fits_nothing_any_more_is_still_shown_as_chosen() -> None:
    assert [(c.word, c.current) for c in chips(ListQuery(status="FAILED"), {}, 0)] == [
        ("All", False),
        ("Failed", True),
    ]
    doubted = chips(ListQuery(needs_review=True), {}, 0)
    assert [(c.word, c.current) for c in doubted] == [("All", False), ("Needs review", True)]


def test_a_column_that_is_sorted_by_is_turned_round() -> None:
    by_name = ListQuery(sort="name", descending=False)
    assert [(c.word, c.order) for c in columns(by_name) if c.order] == [("Job", "ascending")]
    turned = next(column for column in columns(by_name) if column.word == "Job")
    assert turned.url is not None
    assert asked(turned.url) == ListQuery(sort="name", descending=True)


@given(st.integers(1, 200), st.integers(0, 20_000))
def test_pages_lead_from_the_first_to_the_last(number: int, total: int) -> None:
    found = pager(ListQuery(page=number), total)
    assert found.last == max(1, -(-total // 100))
    assert (found.next is None) == (number >= found.last)
    assert (found.previous is None) == (number == 1)
    assert found.next is None or asked(found.next).page == number + 1
