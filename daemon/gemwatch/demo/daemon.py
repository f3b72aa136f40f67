"""The real daemon and the real commands, as processes of this installation."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

_PATIENCE = 8.0  # seconds for a daemon that was asked to stop
_LONGEST_LINE = 1 << 20
_TAIL = 25  # log lines that are kept for the case that something fails

Entry = Mapping[str, Any]


class Daemon:
    """`gemwatch run`, followed through its log."""

    def __init__(self, process: Process, wait: Callable[[Entry], None]) -> None:
        self.tail: deque[str] = deque(maxlen=_TAIL)
        self._process = process
        self._on_entry = wait
        self._reading = asyncio.create_task(self._read())

    async def ended(self) -> int:
        """Its exit code, after it has ended and its log has been read to the end."""
        await asyncio.shield(self._reading)
        return await self._process.wait()

    async def stop(self) -> int:
        """End it as a supervisor would. Its exit code; negative if it had to be killed."""
        self._send(signal.SIGTERM)
        try:
            return await asyncio.wait_for(self.ended(), _PATIENCE)
        except TimeoutError:
            self._send(signal.SIGKILL)
            return await self.ended()

    def _send(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def _read(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 (for mypy: it is a pipe)
        async for line in self._process.stderr:
            text = line.decode(errors="replace").rstrip()
            self.tail.append(text)
            if (entry := _entry(text)) is not None:
                self._on_entry(entry)


@contextlib.asynccontextmanager
async def running(config: Path, wait: Callable[[Entry], None]) -> AsyncIterator[Daemon]:
    """The daemon for the length of an `async with`; `on_entry` gets each entry of its log."""
    process = await asyncio.create_subprocess_exec(
        *_gemwatch("run", config),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
        limit=_LONGEST_LINE,
        env=_environment(),
        cwd=config.parent,
        start_new_session=True,  # so that Ctrl-C reaches the demo alone, which then ends the daemon in order
    )
    daemon = Daemon(process, wait)
    try:
        yield daemon
    finally:
        await daemon.stop()


async def command(config: Path, name: str, *arguments: str) -> tuple[int, str]:
    """A command's exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *_gemwatch(name, config, *arguments),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=STDOUT,
        env=_environment(),
        cwd=config.parent,
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return await process.wait(), output.decode(errors="replace").strip()


def _entry(line: str) -> Entry | None:
    """A line of the log. None for other output, such as an error of the interpreter at its start."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _gemwatch(name: str, config: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "gemwatch", name, *arguments, "--config", str(config)]


def _environment() -> dict[str, str]:
    """The user's, without what would lead the daemon elsewhere: another configuration, a proxy, a supervisor."""
    astray = {"GEMWATCH_CONFIG", "NOTIFY_SOCKET", "WATCHDOG_USEC"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in astray and not name.lower().endswith("_proxy")
    }
    return {**kept, "NO_PROXY": "127.0.0.1"}
