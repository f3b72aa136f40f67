"""The whole demo: simulations, daemon, scripted events, and the result."""

import asyncio
import shutil
import signal
import tempfile
from collections import Counter, defaultdict
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.reads.records import Records
from gemwatch.adapters.store.reads.rows import JobRow
from gemwatch.app.system_clock import SystemClock
from gemwatch.core.job import Status
from gemwatch.core.kinds import EventKind
from gemwatch.demo.config import DATA_MAIL, PLACES, TEAM_CHAT, configuration
from gemwatch.demo.daemon import Daemon, Entry, command, running
from gemwatch.demo.gem import Gem
from gemwatch.demo.inbox import Inbox, Letter
from gemwatch.demo.lives import ADDED, FOUND, GROUP, LATE, SPARE, WATCHED, Life, earlier_runs
from gemwatch.demo.server import LOOPBACK, free_port, serving
from gemwatch.demo.show import JobLine, Screen, Show

EDIT_AFTER, CUT_OFF_AFTER = 8.0, 9.0  # seconds: from the daemon's start to the edit, and from then until logins end
LIMIT = 150.0  # seconds: it takes less than 50, but a busy machine is not a failure
LATER_LIFE = 3600.0  # seconds of a token once the demo only keeps running: each renewal is a line

Receipt = tuple[str, int | str, str]  # outcome, job or group, target


class DemoError(Exception):
    """Something failed. Show it, with the daemon's last log lines."""


class DemoStoppedError(Exception):
    """The user ended it before every message had arrived."""


async def play(*, keep_running: bool, program: str) -> bool:
    """Run the demo; returns whether every message arrived. Its folder stays only if something failed."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    show = Show(
        Screen(gone=stopped.set),
        SystemClock(),
        {
            **{life.job_id: life.name for life in (*WATCHED, ADDED, *SPARE)},
            **{life.job_id: life.input_filename for life in FOUND},
        },
        program,
    )
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="gemwatch-demo-"))
        stack.callback(shutil.rmtree, folder)
        one = Play(folder, show, stopped)
        try:
            await one.run(keep_running=keep_running)
        except DemoStoppedError:
            show.line("stopped before every message had arrived")
            return False
        except Exception as failed:  # a mistake of the demo's own is shown the same way, and then with its trace
            stack.pop_all()
            show.failure(str(failed), one.log_tail, folder)
            if not isinstance(failed, DemoError):
                raise
            return False
    show.next_step()
    return True


class Play:
    """One run, in a folder of its own."""

    def __init__(self, folder: Path, show: Show, stopped: asyncio.Event) -> None:
        self.log_tail: Iterable[str] = ()
        self._config = folder / "config.yaml"
        self._store = folder / "gemwatch.db"
        self._show = show
        self._stopped = stopped
        self._started, self._all_arrived = asyncio.Event(), asyncio.Event()
        lives, clock = [*WATCHED, ADDED, *SPARE, *FOUND], SystemClock()
        self._gem = Gem(lives, clock, report=show.line, past=earlier_runs(lives, clock.now()))
        self._inbox = Inbox(PLACES, self._arrived, down_once=DATA_MAIL)
        self._expected = set(_expected([*WATCHED, ADDED]))
        self._received: Counter[Receipt] = Counter()
        self._letters: Counter[str] = Counter()  # by target

    async def run(self, *, keep_running: bool) -> None:
        """Raises DemoError if the messages are not those that the jobs' scripts should cause."""
        async with serving([*self._gem.routes(), *self._inbox.routes()]) as port:
            web_port = free_port()
            self._config.touch(0o600)  # it holds what would be secrets elsewhere
            self._config.write_text(configuration(WATCHED, port=port, web_port=web_port), encoding="utf-8")
            page = f"http://{LOOPBACK}:{web_port}/"
            self._show.opening(self._config, page, jobs=len(WATCHED), keep_running=keep_running)
            self._show.command("run", "--config", self._config)
            async with running(self._config, self._logged) as daemon:
                self.log_tail = daemon.tail
                await self._until(self._script(), daemon, limit=LIMIT)
                self._judge()
                if keep_running:
                    self._close()
                    self._show.goes_on(self._config, page, [life.job_id for life in SPARE])
                    self._gem.logins.life = LATER_LIFE
                    await self._until(asyncio.Event().wait(), daemon)
                if code := await daemon.stop():
                    raise DemoError(f"the daemon did not stop cleanly: exit code {code}")
        if not keep_running:
            self._close()

    async def _until(self, done: Coroutine[Any, Any, Any], daemon: Daemon, limit: float | None = None) -> None:
        """Wait until it is done, the time is over, or the user interrupts. The daemon must not end before that."""
        waits = [asyncio.create_task(wait) for wait in (done, self._stopped.wait(), daemon.ended())]
        try:
            over, _ = await asyncio.wait(waits, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if waits[-1] in over:
                raise DemoError(f"the daemon ended with exit code {waits[-1].result()}")
            for wait in over:
                wait.result()  # raises what the script raised
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _script(self) -> None:
        """What happens apart from the jobs; ends when every message has arrived."""
        await self._started.wait()  # before that there may be no store, which the command needs
        await asyncio.sleep(EDIT_AFTER)
        await self._add_a_job()
        await asyncio.sleep(CUT_OFF_AFTER)
        self._show.line("login: all sessions end, so the current token is no longer valid")
        self._gem.logins.revoke_all()
        await self._all_arrived.wait()

    def _logged(self, entry: Entry) -> None:
        self._show.entry(entry)
        if entry.get("event") == "config_applied":
            self._started.set()

    async def _add_a_job(self) -> None:
        words = ["watch", str(ADDED.job_id), "--name", str(ADDED.name)]
        self._show.command(*words, "--config", self._config)
        code, output = await command(self._config, *words)
        if code:
            raise DemoError(f"`gemwatch watch` ended with exit code {code}: {output}")

    def _arrived(self, letter: Letter) -> None:
        self._show.letter(letter)
        self._letters[letter.target] += 1
        self._received.update((outcome, job_id, letter.target) for outcome, job_id in letter.outcomes)
        if self._received.keys() >= self._expected:
            self._all_arrived.set()

    def _judge(self) -> None:
        missing = self._expected - self._received.keys()
        if missing and self._stopped.is_set():
            raise DemoStoppedError
        if missing:
            raise DemoError(f"no message within {LIMIT:g} s: {_listed(missing)}")
        if twice := {receipt for receipt, times in self._received.items() if times > 1}:
            raise DemoError(f"sent more than once: {_listed(twice)}")

    def _close(self) -> None:
        """The table at the end: the daemon's store, next to what arrived."""
        self._judge()  # again: while the daemon stopped, something may have come a second time
        records = Records(open_to_read(self._store))
        seen: defaultdict[int, list[str]] = defaultdict(list)
        for move in records.history():
            seen[move.job_id].append(move.after)
        rows = [
            JobLine(
                job_id=job.job_id,
                name=job.name,
                on_the_way=seen[job.job_id][:-1],
                at_the_end=_end(job),
                messages=sum(times for (_, job_id, _), times in self._received.items() if job_id == job.job_id),
            )
            for job in records.status().jobs
            if job.watched
        ]
        self._show.closing(rows, self._remarks())

    def _remarks(self) -> Iterator[str]:
        targets = ", ".join(f"{count} to {name}" for name, count in sorted(self._letters.items()))
        yield f"{self._letters.total()} messages arrived ({targets}), each exactly once."
        yield f"One of them reported all {len(FOUND)} jobs of the group {GROUP}; only the failed one had its own."
        answers = self._gem.answered
        odd = ", ".join(f"{answers[code]} with HTTP {code}" for code in (401, 404, 500))
        yield f"The simulated API answered {answers.total()} requests: {odd}, the others with a job."
        yield f"{self._gem.logins.given} tokens were issued, each valid for {self._gem.logins.life:g} s."


def _expected(lives: Iterable[Life]) -> Iterator[Receipt]:
    """The messages that each target has to receive."""
    yield EventKind.RUNNING_TOO_LONG.traits.outcome, LATE.job_id, TEAM_CHAT
    for life in lives:
        outcome = life.event.traits.outcome
        yield outcome, life.job_id, TEAM_CHAT
        if life.hidden is not None and life.notify is None:
            yield outcome, life.job_id, DATA_MAIL
    yield EventKind.GROUP_DONE.traits.outcome, GROUP, TEAM_CHAT  # its successes are not sent one by one
    yield from ((life.event.traits.outcome, life.job_id, TEAM_CHAT) for life in FOUND if life.end is Status.FAILED)


def _end(job: JobRow) -> str:
    if job.needs_review:
        return "NEEDS REVIEW"
    return job.status or EventKind.NOT_FOUND.traits.outcome


def _listed(receipts: Iterable[Receipt]) -> str:
    return "; ".join(
        f"{outcome} of {f'job {about}' if isinstance(about, int) else about} to {target}"
        for outcome, about, target in sorted(receipts, key=str)
    )
