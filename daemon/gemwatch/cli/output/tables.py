"""Tables: fitted to the width on a terminal; elsewhere one line per record with full values, separated by TABs."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache

from gemwatch.cli.output import streams
from gemwatch.core.text.formatting import MONTHS, zone_name
from gemwatch.core.text.sanitize import single_line

Cell = str | int | datetime | None

_GAP = "  "
_LONGEST = 300  # characters of one value on a terminal
_GREEN, _RED, _YELLOW, _CYAN = 32, 31, 33, 36
_COLOURS = {
    "SUCCESS": _GREEN,
    "FAILED": _RED,
    "IN_PROGRESS": _CYAN,
    "sent": _GREEN,
    "pending": _YELLOW,
    "failed": _RED,
    "not-found": _RED,
    "login-refused": _RED,
}


class ColumnKind(StrEnum):
    """How a column's values are shown. Only texts are ever shortened."""

    NUMBER = "number"
    WORD = "word"  # a status or a state, in its colour
    TIME = "time"
    EXACT = "exact"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """`rank`: 0 is always shown; of the others, the highest is left out first where a terminal is too narrow.

    `least`: columns of a shortened text, before one of those is left out.
    """

    title: str
    kind: ColumnKind = ColumnKind.EXACT
    rank: int = 0
    least: int = 10


def print_table(
    columns: Sequence[Column],
    rows: Iterable[Sequence[Cell]],
    *,
    footer: str | None = None,
    nothing: str | None = None,
) -> None:
    """The table on standard output. For people with `footer`, and `nothing` in place of one without rows."""
    if not on_terminal():
        print("\n".join(records(columns, rows)))
        return
    shown = list(rows)
    if nothing and not shown:
        print(nothing)
        return
    print("\n".join(fitted(columns, shown, width=terminal_size().columns)))
    if footer:
        print(f"\n{footer}")


def print_details(columns: Sequence[Column], row: Sequence[Cell], *, footer: str) -> None:
    """One record on a terminal: each value on lines of its own, in full."""
    today, room = datetime.now().astimezone(), max(len(column.title) for column in columns) + len(_GAP)
    for column, cell in zip(columns, row, strict=True):
        text = _shown(cell, today)
        if text != "-":
            lines = textwrap.wrap(text, max(20, terminal_size().columns - room), break_on_hyphens=False)
            shown = _coloured(text) if column.kind is ColumnKind.WORD else f"\n{' ' * room}".join(lines)
            print(f"{column.title:<{room}}{shown}")
    print(f"\n{footer}")


def on_terminal() -> bool:
    return sys.stdout.isatty()


def terminal_size() -> os.terminal_size:
    return shutil.get_terminal_size((80, 24))


def records(columns: Sequence[Column], rows: Iterable[Sequence[Cell]]) -> Iterable[str]:
    """A header, then one line for each row."""
    yield "\t".join(column.title for column in columns)
    for row in rows:
        yield "\t".join(map(_full, row))


def record(cells: Sequence[Cell]) -> str:
    return "\t".join(map(_full, cells))


def fitted(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], *, width: int) -> list[str]:
    """The lines of a table that is at most `width` wide, if its ids, words and times alone are not wider."""
    today = datetime.now().astimezone()
    texts = [[_shown(cell, today) for cell in row] for row in rows]
    places = _fit(columns, texts, width)
    lines = [_line([(columns[at].title, room, columns[at].kind) for at, room in places], header=True)]
    lines.append(_rule([room for _, room in places]))
    lines += [_line([(row[at], room, columns[at].kind) for at, room in places]) for row in texts]
    return lines


def _fit(columns: Sequence[Column], texts: Sequence[Sequence[str]], width: int) -> list[tuple[int, int]]:
    """Which columns to show, and how wide each is. A column without any value is not shown."""
    needs = {
        at: max(len(column.title), *(width_of(row[at]) for row in texts)) if texts else len(column.title)
        for at, column in enumerate(columns)
        if column.rank == 0 or any(row[at] != "-" for row in texts)
    }
    shown = [
        at
        for at in needs
        if columns[at].kind is not ColumnKind.TEXT or not texts or any(row[at] != "-" for row in texts)
    ]
    while True:
        texts_of = [at for at in shown if columns[at].kind is ColumnKind.TEXT]
        room = width - len(_GAP) * (len(shown) - 1) - sum(needs[at] for at in shown if at not in texts_of)
        wanted = {at: needs[at] for at in texts_of}
        least = sum(min(columns[at].least, need) for at, need in wanted.items())
        ranked = [at for at in shown if columns[at].rank]
        if room >= least or not ranked:
            break
        shown.remove(max(ranked, key=lambda at: columns[at].rank))
    given = _shared(wanted, room)
    return [(at, given.get(at, needs[at])) for at in shown]


def _shared(wanted: dict[int, int], room: int) -> dict[int, int]:
    """Room for texts: what is short gets what it needs, the others share the rest."""
    given: dict[int, int] = {}
    left = dict(wanted)
    while left:
        share = max(1, room // len(left))
        short = {at: need for at, need in left.items() if need <= share}
        if not short:
            given.update(dict.fromkeys(left, share))
            break
        for at, need in short.items():
            given[at] = need
            room -= need
            del left[at]
    return given


def _line(cells: Sequence[tuple[str, int, ColumnKind]], *, header: bool = False) -> str:
    parts = []
    for text, room, kind in cells:
        text = shortened(text, room) if kind is ColumnKind.TEXT else text  # noqa: PLW2901 (the same text, shorter)
        padding = " " * (room - width_of(text))
        if kind is ColumnKind.NUMBER:
            parts.append(padding + text)
        else:
            parts.append((_coloured(text) if kind is ColumnKind.WORD and not header else text) + padding)
    return _GAP.join(parts).rstrip()


def _rule(widths: Sequence[int]) -> str:
    stroke = "─" if streams.encodable("─") else "-"
    return _GAP.join(stroke * width for width in widths)


def _coloured(word: str) -> str:
    colour = _COLOURS.get(word)
    return f"\x1b[{colour}m{word}\x1b[0m" if colour and in_colour() else word


@cache
def in_colour() -> bool:
    """Whether standard output is a terminal that shows colours, and its user wants them (https://no-color.org)."""
    return on_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") not in (None, "dumb")


def _shown(cell: Cell, today: datetime) -> str:
    if cell is None or cell == "":
        return "-"
    if isinstance(cell, str):
        line = single_line(cell, _LONGEST)
        if not line.isascii() and not streams.encodable(line):
            encoding = sys.stdout.encoding or "ascii"
            line = line.encode(encoding, "replace").decode(encoding)
        return line
    return str(cell) if isinstance(cell, int) else _local(cell, today)


def _full(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return cell.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = str(cell)
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def local(time: datetime) -> str:
    """A time in the user's zone: `13:21:07` today, `18 Feb 13:21` this year, else `18 Feb 2025 13:21`."""
    return _local(time, datetime.now().astimezone())


def _local(time: datetime, today: datetime) -> str:
    there = time.astimezone()
    if there.date() == today.date():
        return f"{there:%H:%M:%S}"
    year = "" if there.year == today.year else f" {there.year}"
    return f"{there.day} {MONTHS[there.month - 1]}{year} {there:%H:%M}"


def zone() -> str:
    """For below a table: which zone its times are in."""
    now = datetime.now().astimezone()
    name, offset = zone_name(now, now.tzinfo or UTC), f"{now:%z}"
    return f"Times are in {name}{'' if name.startswith('UTC') else f' (UTC{offset[:3]}:{offset[3:5]})'}."


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes: two for most East Asian characters, none for combining ones."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def shortened(text: str, room: int) -> str:
    """At most `room` columns wide, with an ellipsis where something is left out."""
    if width_of(text) <= room:
        return text
    ellipsis = "…" if streams.encodable("…") else "..."
    left, kept = room - len(ellipsis), []
    for character in text:
        left -= width_of(character)
        if left < 0:
            break
        kept.append(character)
    return "".join(kept).rstrip() + ellipsis[: max(room, 0)]
