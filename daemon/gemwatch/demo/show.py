"""What the demo prints: an opening, each thing as it happens, each message in a frame, and a table at the end."""

import shlex
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gemwatch.core.clock import Clock
from gemwatch.demo.inbox import Letter
from gemwatch.demo.lives import GROUP
from gemwatch.demo.narrate import Names, sentence

_COLOURS = {"success": "green", "failure": "red", "warning": "yellow", "info": "cyan"}  # by Apprise's word
_FINAL_COLOURS = {"SUCCESS": "green", "NEEDS REVIEW": "yellow", "FAILED": "red", "NOT FOUND": "yellow"}
_WIDEST = 100  # columns: a frame that is wider is harder to read


class Screen(Console):
    """Standard output. When its reader is gone (`gemwatch demo | head`), `gone` is called, so that the demo
    can end in order; rich would end the process in the middle of whatever printed."""

    def __init__(self, gone: Callable[[], None]) -> None:
        super().__init__(highlight=False)
        self._gone = gone

    def on_broken_pipe(self) -> None:
        try:
            super().on_broken_pipe()
        except SystemExit:
            self._gone()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLine:
    """A job in the table at the end."""

    job_id: int
    name: str | None
    on_the_way: Sequence[str]
    at_the_end: str
    messages: int


class Show:
    """Everything goes through here, each line with the time since the start."""

    def __init__(self, console: Console, clock: Clock, names: Names, program: str) -> None:
        """`program`: how gemwatch is called in the shell that the demo was started from."""
        self._program = program
        self._console = console
        self._clock = clock
        self._names = names
        self._start = clock.monotonic()
        self._shown: set[tuple[str, str]] = set()

    def opening(self, config: Path, page: str, *, jobs: int, keep_running: bool) -> None:
        ends = "runs until Ctrl-C" if keep_running else "ends in less than a minute"
        self._print("gemwatch demo: everything here is simulated, and nothing leaves this machine.", "bold")
        self._print(
            "A simulated GEM API, its login and two inboxes listen on 127.0.0.1. The real daemon watches "
            f"{jobs} jobs there, every second. What takes a real job hours takes seconds here.\nThe demo {ends}.\n"
        )
        for point in (
            "The target team-chat receives everything, data-mail only successes and failures.",
            "The API lists six earlier runs of each job. The new store learns from them, for estimates.",
            "A rule finds four more jobs in that list. They are a group, which is reported as one; one fails.",
            "One job runs far longer than its earlier runs did, one matches fewer roads, one fails.",
            "One job has ended before its first poll, one appears late, one does not exist.",
            "The API answers HTTP 500 now and then; mail and login fail once each.",
            "A further job is added while the daemon runs.",
        ):
            self._print(f"- {point}")
        self._print("\nSee it in a browser while it runs:", "bold")
        self._print(f"  {page}", wrap=False)
        self._print(f"\nConfiguration, for as long as this runs: {config}\n", wrap=False)

    def line(self, text: str) -> None:
        """One thing that happened."""
        lines = textwrap.fill(f"{self._time()}  {text}", self._console.width, subsequent_indent=" " * 7)
        self._console.print(Text(lines, "dim"), soft_wrap=True)

    def entry(self, entry: Mapping[str, Any]) -> None:
        """One entry of the daemon's log, if it says something."""
        if text := sentence(entry, self._names):
            self.line(text)

    def command(self, *words: str | Path) -> None:
        """A command of gemwatch that the demo runs, as a person would type it."""
        line = f"{self._time()}  $ {self._program} {shlex.join(map(str, words))}"
        self._console.print(Text(line, "bold"), soft_wrap=True)

    def letter(self, letter: Letter) -> None:
        """A message in its frame, or one line where another target has got the same one before."""
        if (letter.title, letter.body) in self._shown:
            self.line(f"also to {letter.target}: {letter.title}")
            return
        self._shown.add((letter.title, letter.body))
        body, _, foot = letter.body.rpartition("\n\n")
        if not foot.startswith("gw-"):  # a summary has an id on each line, and none at its foot
            body, foot = letter.body, "a summary"
        colour = _COLOURS.get(letter.tone, "")
        frame = Panel(
            Text(body),
            title=Text(letter.title, f"bold {colour}".strip()),
            title_align="left",
            subtitle=Text(f"to {letter.target} at {self._time()}, {foot}"),
            subtitle_align="right",
            border_style=colour,
            width=min(self._console.width, _WIDEST),
        )
        self._console.print(frame)

    def closing(self, rows: Iterable[JobLine], remarks: Iterable[str]) -> None:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        table.add_column("Job", justify="right")
        for name in ("Name", "On the way", "At the end"):
            table.add_column(name)
        table.add_column("Messages", justify="right")
        for row in rows:
            end = Text(row.at_the_end, _FINAL_COLOURS.get(row.at_the_end, ""))
            table.add_row(str(row.job_id), row.name or "-", " → ".join(row.on_the_way) or "-", end, str(row.messages))
        self._console.print()
        self._console.print(table)
        self._console.print()
        for remark in remarks:
            self._print(remark)

    def next_step(self) -> None:
        self._print("\nNext, with your own jobs:", "bold")
        self._print(f"  {self._program} init", wrap=False)
        self._print(f"  {self._program} check --online && {self._program} run", wrap=False)

    def goes_on(self, config: Path, page: str, spare: Sequence[int]) -> None:
        self._print("\nThe daemon keeps running until Ctrl-C. In another terminal, in this folder, try:", "bold")
        self._print(f"  export GEMWATCH_CONFIG={shlex.quote(str(config))}", wrap=False)
        for words in ("status", f"status --group {GROUP}", "discover", "history", f"watch {spare[0]}"):
            self._print(f"  {self._program} {words}", wrap=False)
        self._print(f"Jobs that exist and are not watched yet: {', '.join(map(str, spare))}. The page: {page}\n")

    def failure(self, reason: str, tail: Iterable[str], folder: Path) -> None:
        self._print(f"\nThe demo failed: {reason}", "bold red")
        self._print("The daemon's log, its last lines:")
        for line in tail:
            readable = line.replace(r"\n", "\n    ")  # a traceback is one line of JSON
            self._print(f"  {readable}", "dim", wrap=False)
        self._print(f"Configuration and store are kept in {folder}", wrap=False)

    def _print(self, text: str, style: str = "", *, wrap: bool = True) -> None:
        if wrap:
            width, below = self._console.width, "  " if text.startswith("- ") else ""
            text = "\n".join(textwrap.fill(line, width, subsequent_indent=below) for line in text.split("\n"))
        self._console.print(Text(text, style), soft_wrap=True)  # rich's own wrapping leaves spaces at the ends

    def _time(self) -> str:
        minutes, seconds = divmod(int(self._clock.monotonic() - self._start), 60)
        return f"{minutes:02}:{seconds:02}"
