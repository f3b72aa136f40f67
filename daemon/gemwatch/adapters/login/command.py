"""Runs the command that prints a token, and leaves nothing of it behind."""

import asyncio
import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import PurePath
from subprocess import DEVNULL, PIPE
from typing import cast

from gemwatch.core.login import LoginError
from gemwatch.core.secrets import MASK, Secrets
from gemwatch.core.text.sanitize import single_line

COMMAND_LIMIT = timedelta(seconds=60)  # a cold `az` on a small machine takes a good part of it
_MOST_BYTES = 256 * 1024
_GRACE = 5.0  # seconds for the kernel to take away what was killed
_DRAIN = 1.0  # seconds to read what an ended command has printed
_STDOUT, _STDERR = 1, 2

_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w.-]+")
_MARKED = re.compile(r"(?:error|fatal)\b:?\s*(.+)", re.IGNORECASE)


def command_name(command: Sequence[str]) -> str:
    """The program's name. The arguments may hold secrets and are never shown."""
    return single_line(PurePath(command[0]).name, 60)


def remedy(command: Sequence[str]) -> str:
    if command_name(command) == "az":
        return "On the host, as the user that runs gemwatch: az login"
    return "Run the token command by hand, as the user that runs gemwatch"


async def command_output(command: Sequence[str], secrets: Secrets, limit: timedelta = COMMAND_LIMIT) -> str:
    """What the command prints. Whatever it started in its session is gone when this returns or is cancelled.

    Raises LoginError, also when it takes longer than `limit`.
    """
    name = command_name(command)
    loop = asyncio.get_running_loop()
    try:
        transport, output = await loop.subprocess_exec(
            _Output, *command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise _not_started(command, error) from None
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await output.complete
    except TimeoutError:
        took = f"{limit.total_seconds():g} s"
        raise LoginError(f"{name} did not end within {took} and was stopped. {remedy(command)}") from None
    finally:
        output.kill_all()
        await asyncio.wait([output.exited], timeout=_GRACE)
        transport.close()
    if output.too_long:
        raise LoginError(f"{name} printed more than {_MOST_BYTES >> 10} KiB. {remedy(command)}")
    if code := transport.get_returncode():
        raise LoginError(f"{name} {_ended(code)}{_last_words(output.text(_STDERR), secrets)}. {remedy(command)}")
    return output.text(_STDOUT)


class _Output(asyncio.SubprocessProtocol):
    """Collects what a process prints, within bounds.

    A protocol and not asyncio's `Process`, whose `wait` does not come back, in some versions of Python, while
    a child that the process left behind holds its output open.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.complete: asyncio.Future[None] = loop.create_future()  # ended and read, or too long
        self.exited: asyncio.Future[None] = loop.create_future()
        self.too_long = False
        self._read = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self._group: int | None = None

    def text(self, stream: int) -> str:
        return self._read[stream].decode(errors="replace")

    def kill_all(self) -> None:
        """End every process of the command's group: `az` is a shell script around the real one.

        Not again once it has exited: by then the number may be another's.
        """
        if self._group is not None and not self.exited.done():
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._group, signal.SIGKILL)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._group = cast("asyncio.SubprocessTransport", transport).get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        read = self._read[fd]
        read += data
        if len(read) > _MOST_BYTES:
            del read[:-_MOST_BYTES]  # of a long complaint the end is what counts
            if fd == _STDOUT:
                self.too_long = True
                _settle(self.complete)

    def process_exited(self) -> None:
        self.kill_all()  # what it left behind would hold its output open
        _settle(self.exited)
        # What left its group on purpose lives on, and is not waited for.
        asyncio.get_running_loop().call_later(_DRAIN, _settle, self.complete)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        _settle(self.complete)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _not_started(command: Sequence[str], error: Exception) -> LoginError:
    name = command_name(command)
    if not isinstance(error, FileNotFoundError):
        why = (
            os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "not a valid command"
        )
        return LoginError(f"{name} cannot be started: {why}. Check api.token.command")
    if "/" in command[0]:
        return LoginError(f"{name} cannot be started: no such program, or its interpreter is missing")
    path = single_line(os.environ.get("PATH", ""), 150)
    return LoginError(f"no program {name} on the PATH ({path}). Install it, or give api.token.command its full path")


def _ended(code: int) -> str:
    return f"ended with {code}" if code > 0 else f"was killed by signal {-code}"


def _last_words(stderr: str, secrets: Secrets) -> str:
    """The line that says most: the last one marked as an error, else the last one; nothing secret, at most 300."""
    lines = [line for line in map(str.strip, _COLOUR.sub("", stderr).splitlines()) if line]
    if not lines:
        return " and gave no reason"
    marked = [match[1] for match in map(_MARKED.match, lines) if match]
    words = _JWT.sub(MASK, secrets.mask((marked or lines)[-1]))
    return f': "{single_line(words, 300).rstrip(".")}"'
