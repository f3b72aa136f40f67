"""Runs the command that prints a token, and ends all its processes."""

import asyncio
import errno
import os
import re
import signal
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePath
from subprocess import DEVNULL, PIPE
from typing import cast

from gemwatch.adapters.login.az import PASSING, UNKNOWN, TokenCommand, read_failure
from gemwatch.core.login import LoginError
from gemwatch.core.secrets import MASK, Secrets
from gemwatch.core.text.sanitize import single_line
from gemwatch.core.text.steps import steps_of, text_of

COMMAND_LIMIT = timedelta(seconds=60)  # the first `az` on a small machine is slow
_MOST_BYTES = 256 * 1024
_GRACE = 5.0  # seconds for the kernel to remove killed processes
_DRAIN = 1.0  # seconds to read the output of a command that has ended
_STDOUT, _STDERR = 1, 2

_JWT = re.compile(r"eyJ[\w-]{8,}\.[\w.-]+")


def command_name(command: Sequence[str]) -> str:
    """The program's name. The arguments may contain secrets and are never shown."""
    return single_line(PurePath(command[0]).name, 60)


async def command_output(login: TokenCommand, secrets: Secrets, limit: timedelta = COMMAND_LIMIT) -> str:
    """The output of the token command. When this returns or is cancelled, all processes of its session have ended.

    Raises LoginError, also if the command takes longer than `limit`.
    """
    command, remedy = login.command, login.remedy()
    name = command_name(command)
    loop = asyncio.get_running_loop()
    try:
        transport, output = await loop.subprocess_exec(
            _Output,
            *command,
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            start_new_session=True,
            env=login.environ,
        )
    except (OSError, ValueError) as error:
        raise _not_started(login, error) from None
    try:
        async with asyncio.timeout(limit.total_seconds()):
            await output.complete
    except TimeoutError:
        took = f"{limit.total_seconds():g} s"
        reason = f"{name} did not end within {took} and was stopped"
        raise LoginError(reason, remedy=remedy, retry_for=PASSING) from None
    finally:
        output.kill_all()
        await asyncio.wait([output.exited], timeout=_GRACE)
        transport.close()
    if output.too_long:
        raise LoginError(f"{name} printed more than {_MOST_BYTES >> 10} KiB", remedy=remedy)
    if code := transport.get_returncode():
        raise _failed(f"{name} {_ended(code)}", output.text(_STDERR), login, secrets)
    return output.text(_STDOUT)


class _Output(asyncio.SubprocessProtocol):
    """Collects the output of a process, up to a limit.

    It does not use asyncio's `Process`: in some versions of Python its `wait` does not return while an orphaned
    child keeps the output open.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.complete: asyncio.Future[None] = loop.create_future()  # ended and fully read, or printed too much
        self.exited: asyncio.Future[None] = loop.create_future()
        self.too_long = False
        self._read = {_STDOUT: bytearray(), _STDERR: bytearray()}
        self._group: int | None = None

    def text(self, stream: int) -> str:
        return self._read[stream].decode(errors="replace")

    def kill_all(self) -> None:
        """End every process in the command's group: `az` is a shell script that starts the real program.

        Does nothing after the command has exited: the kernel may have reused its process id.
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
            del read[:-_MOST_BYTES]  # keep the end, which holds the actual error
            if fd == _STDOUT:
                self.too_long = True
                _settle(self.complete)

    def process_exited(self) -> None:
        self.kill_all()  # an orphaned child would keep the output open
        _settle(self.exited)
        # A process that left the group on purpose keeps running, and gemwatch does not wait for it.
        asyncio.get_running_loop().call_later(_DRAIN, _settle, self.complete)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's signature)
        _settle(self.complete)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _not_started(login: TokenCommand, error: Exception) -> LoginError:
    name = command_name(login.command)
    if not isinstance(error, FileNotFoundError):
        number = error.errno if isinstance(error, OSError) else None
        why = os.strerror(number).lower() if number else "not a valid command"
        busy = PASSING if number in (errno.ETXTBSY, errno.EAGAIN, errno.ENOMEM) else 0.0
        return LoginError(f"{name} cannot be started: {why}", remedy="Check api.token.command", retry_for=busy)
    if "/" in login.command[0]:
        return LoginError(f"{name} cannot be started: no such program, or its interpreter is missing")
    path = single_line(login.environ.get("PATH", ""), 150)
    remedy = "Install it, or give api.token.command its full path"
    return LoginError(f"no program {name} on the PATH ({path})", remedy=remedy)


def _ended(code: int) -> str:
    return f"ended with {code}" if code > 0 else f"was killed by signal {-code}"


def _failed(what: str, stderr: str, login: TokenCommand, secrets: Secrets) -> LoginError:
    """The failure in the command's own words, masked and cleaned."""
    failure = read_failure(_JWT.sub(MASK, secrets.mask(stderr)), login)
    if not failure.words:
        return LoginError(f"{what} and gave no reason", remedy=failure.remedy, retry_for=UNKNOWN)
    meaning = f". {failure.meaning}" if failure.meaning else ""
    reason = f'{what}: "{single_line(failure.words, 400)}"{meaning}'
    steps = (replace(step, text=single_line(step.text, 500)) for step in steps_of(failure.remedy))
    return LoginError(reason, remedy=text_of(steps), retry_for=failure.retry_for)
