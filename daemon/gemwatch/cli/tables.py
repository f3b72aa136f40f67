"""Tables a person likes to read: local times with their zone named, nothing from outside taken as markup."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gemwatch.core.text.formatting import NARROW
from gemwatch.core.text.sanitize import single_line

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

COLOURS = {
    "SUCCESS": "green",
    "FAILED": "red",
    "IN_PROGRESS": "cyan",
    "sent": "green",
    "pending": "yellow",
    "failed": "red",
}


def table(columns: Sequence[str], rows: Iterable[Sequence["str | Text | None"]], caption: str = "") -> "Table":
    """A plain table. Numbers go right; a column named Job or # is one."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, caption=caption or None, caption_justify="left", pad_edge=False)
    for name in columns:
        made.add_column(name, justify="right" if name in {"Job", "#", "Tries"} else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(single_line(cell or "-", 300)) for cell in row))
    return made


def coloured(word: str | None) -> "Text":
    """A status or state, in its colour where there is one."""
    from rich.text import Text

    return Text(single_line(word, 64) if word else "not seen yet", style=COLOURS.get(word or "", ""))


def local(time: str | None) -> str | None:
    """A time from a JSON document in the user's zone: with its date unless that is today."""
    if time is None:
        return None
    there = datetime.fromisoformat(time).astimezone()
    today = there.date() == datetime.now().astimezone().date()
    return f"{there:%H:%M:%S}" if today else f"{there:%Y-%m-%d %H:%M:%S}"


def expected(estimate: dict[str, Any] | None, *, runs: bool = True) -> str | None:
    """`13:21 (12:50 to 14:10; 12 runs)`, in the user's zone, and as exact as it can be known."""
    if estimate is None:
        return None
    first, end, last = (local(estimate[name]) or "" for name in ("earliest", "ends_at", "latest"))
    width = datetime.fromisoformat(estimate["latest"]) - datetime.fromisoformat(estimate["earliest"])
    if width >= NARROW:
        first, end, last = (time[: -len(":00")] for time in (first, end, last))
    told = f"{end} ({first} to {last}" + (f"; {estimate['runs']} runs)" if runs else ")")
    return f"{told}, overdue" if estimate["overdue"] else told


def zone() -> str:
    """For a caption: which zone the table's times are in."""
    return f"Times are {datetime.now().astimezone():%Z (UTC%z)}."
