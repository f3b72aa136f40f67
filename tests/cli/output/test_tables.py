"""Tables on terminals of any width, and as records elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest

from gemwatch.cli.output.tables import Cell, Column, ColumnKind, fitted, local, records, shortened, width_of

COLUMNS = (
    Column(title="Job", kind=ColumnKind.NUMBER),
    Column(title="Name", kind=ColumnKind.TEXT),
    Column(title="Status", kind=ColumnKind.WORD),
    Column(title="Since", kind=ColumnKind.TIME, rank=1),
    Column(title="Next poll", kind=ColumnKind.TIME, rank=2),
    Column(title="Remark", kind=ColumnKind.TEXT),
)
AT = datetime(2025, 2, 18, 12, 30, 7, tzinfo=UTC)
LARGEST = 2**63 - 1
NAMES = (
    "x",
    "",
    "Netherlands weekly, with a name that is far too long for any terminal",
    "北京道路匹配" * 9,
    "e\u0301" * 70,
)


def rows(remark: str = "needs review: " + "matched less " * 12) -> list[list[Cell]]:
    return [[LARGEST - n, name, "IN_PROGRESS", AT, AT, remark] for n, name in enumerate(NAMES)]


@pytest.mark.parametrize("width", [80, 100, 132, 250])
def test_table_fits_and_breaks_no_id_status_or_time(width: int) -> None:
    lines = fitted(COLUMNS, rows(), width=width)
    assert len(lines) == 2 + len(NAMES)
    for number, line in enumerate(lines[2:]):
        assert width_of(line) <= width
        assert line.startswith(str(LARGEST - number))
        assert " IN_PROGRESS " in line
        assert ("Since" in lines[0]) == (local(AT) in line)


def test_narrow_table_leaves_out_columns_by_rank() -> None:
    wide, narrow = fitted(COLUMNS, rows(), width=120)[0].split(), fitted(COLUMNS, rows(), width=64)[0].split()
    assert wide == ["Job", "Name", "Status", "Since", "Next", "poll", "Remark"]
    assert narrow == ["Job", "Name", "Status", "Remark"]


def test_remark_gets_its_least_room_before_times() -> None:
    columns = (*COLUMNS[:-1], Column(title="Remark", kind=ColumnKind.TEXT, least=28))
    line = fitted(
        columns, [[123456789, "Netherlands weekly", "FAILED", AT, AT, "GEM: column geometry is missing"]], width=64
    )[2]
    assert line.endswith("FAILED  GEM: column geometry is…")
    assert local(AT) not in line


def test_table_leaves_out_columns_without_values() -> None:
    header = fitted(COLUMNS, [[1, None, "SUCCESS", None, AT, ""]], width=80)[0].split()
    assert header == ["Job", "Status", "Next", "poll"]


def test_terminal_too_narrow_still_shows_whole_ids() -> None:
    assert all(str(LARGEST - n) in line for n, line in enumerate(fitted(COLUMNS, rows(), width=10)[2:]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("room", [1, 2, 7, 40])
def test_shortened_text_fits_and_shows_that_it_is_cut(name: str, room: int) -> None:
    short = shortened(name, room)
    assert width_of(short) <= room
    assert short == name or short.endswith("…")


def test_record_has_full_values_and_one_line() -> None:
    odd = "a\tb\nc\x1b[31m" + "long " * 100
    header, line = records(COLUMNS, [[7, odd, "A_NEW_ONE", AT, None, "\u202eflip"]])
    assert header == "Job\tName\tStatus\tSince\tNext poll\tRemark"
    assert line.split("\t") == [
        "7",
        "a b c [31m" + "long " * 100,
        "A_NEW_ONE",
        "2025-02-18T12:30:07.000Z",
        "",
        " flip",
    ]


def test_local_time_names_the_day_unless_it_is_today() -> None:
    now = datetime.now().astimezone()
    assert local(now) == f"{now:%H:%M:%S}"
    there = AT.astimezone()
    assert local(AT) == f"18 Feb 2025 {there:%H:%M}"
    assert len(local(now - timedelta(days=2))) >= len("1 Feb 10:00")
