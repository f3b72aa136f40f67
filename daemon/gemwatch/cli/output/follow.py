"""`gemwatch status --follow`: a full screen with what is most urgent first; in a pipe, a line for each change."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.reads.rows import JobRow, Overview, ServiceState
from gemwatch.cli.output.jobs import COLUMNS, Sort, ordered, remarks, row_of, word_of
from gemwatch.cli.output.screen import cut, full_screen, paint, pause
from gemwatch.cli.output.service import failure_lines, failures, replica_lines, service_line
from gemwatch.cli.output.tables import Column, fitted, record, shortened, terminal_size, zone
from gemwatch.core.text.context import Context
from gemwatch.core.text.formatting import counted

Read = Callable[[], Overview]
Select = Callable[[Sequence[JobRow]], list[JobRow]]

_EVERY = 1.0  # seconds
_SHARE = 10  # the pause after a read, as a multiple of how long the read took
_CHANGES = tuple(Column(title=title) for title in ("Time", "Job", "Name", "Status", "Remark"))


def follow_on_screen(read: Read, select: Select, context: Context, *, by_urgency: bool) -> None:
    """Until Ctrl-C, which ends it with exit code 0."""
    found = read()
    try:
        with full_screen():
            while True:
                started = time.monotonic()
                found, failure = _latest(read, found)
                jobs = select(found.jobs)
                size = terminal_size()
                shown = ordered(jobs, Sort.URGENCY) if by_urgency else jobs
                paint(screen(found.service, shown, failure, context, width=size.columns, height=size.lines))
                pause(max(_EVERY, _SHARE * (time.monotonic() - started)))
    except KeyboardInterrupt:
        return


def screen(
    service: ServiceState,
    jobs: Sequence[JobRow],
    failure: str | None,
    context: Context,
    *,
    width: int,
    height: int,
) -> list[str]:
    """The lines of the screen: no more than `height`, the last of them always how the service is."""
    top = [
        *([f"The store cannot be read: {failure}", ""] if failure else []),
        *failure_lines(service, width, context),
    ]
    bottom = ["", *replica_lines(service, width), shortened(f"{service_line(service)}   {zone()}", width)]
    room = max(1, height - len(top) - len(bottom))
    # Only what can be seen is laid out: a watch list may have thousands of jobs.
    table = fitted(COLUMNS, map(row_of, jobs[:height]), width=width) if jobs else ["No job is watched."]
    if len(jobs) + 2 > room:
        table = [*table[: room - 1], f"and {counted(len(jobs) + 3 - room, 'more job', 'more jobs')}"]
    return cut([*top, *table, *bottom], height, "and {} more lines")


def follow_changes(read: Read, select: Select, context: Context, *, by_urgency: bool) -> None:
    """One line for each job at first, then one for each change of status or remark. Ctrl-C ends it with code 0."""
    del by_urgency  # lines come in the order of the changes
    print(record([column.title for column in _CHANGES]), flush=True)
    found, said = read(), dict[int, tuple[str, str]]()
    service_said: Sequence[str] = []
    try:
        while True:
            started = time.monotonic()
            found, failure = _latest(read, found)
            now = datetime.now(UTC)
            for job in select(found.jobs):
                word = (word_of(job), "; ".join(remarks(job)))
                if said.get(job.job_id) != word:
                    said[job.job_id] = word
                    print(record([now, job.job_id, job.name, *word]), flush=True)
            service_says = [
                *([f"the store cannot be read: {failure}"] if failure else []),
                *(failure.replace("\n", " ") for failure in failures(found.service, context)),
            ]
            if service_says != service_said:
                service_said = service_says
                for sentence in service_says or ["recovered"]:
                    print(record([now, None, "gemwatch", None, sentence]), flush=True)
            time.sleep(max(_EVERY, _SHARE * (time.monotonic() - started)))
    except KeyboardInterrupt:
        return


def _latest(read: Read, before: Overview) -> tuple[Overview, str | None]:
    """What the store holds now. While it cannot be read: what it held before, and why."""
    try:
        return read(), None
    except sa.exc.DatabaseError as error:
        return before, str(error.orig)
    except (StoreError, OSError) as error:
        return before, str(error)
