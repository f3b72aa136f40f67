"""The program in a process of its own, forked from one that has imported it already: imports are most of a start.

Everything after the imports is the same as in `python -m gemwatch`: a fresh process, its own files, its own end.
"""

import contextlib
import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import TypeAlias

import gemwatch
from gemwatch.cli import main
from support.doomed import Doom
from support.users import become

_PACKAGE = Path(gemwatch.__file__).parent
_ELSEWHERE = ("alembic.command", "logging.config", "psycopg")

Dooming: TypeAlias = tuple[str, str, int] | Path | None  # or the file that may name it later


Streams: TypeAlias = tuple[Path | None, Path | None, Path | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a process gets: its arguments, its folder, its variables, the files behind its streams (None: closed)."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    streams: Streams
    doom: Dooming = None
    user: str | None = None


class WarmProcess:
    """The part of `Popen` that the tests use."""

    def __init__(self, call: Call) -> None:
        self.args = call.arguments
        self._process = _context().Process(target=_run, args=(call,), daemon=True)
        self._process.start()

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    def send_signal(self, one: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, one)

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code


def run(
    arguments: tuple[str, ...],
    *,
    folder: Path,
    environment: Mapping[str, str],
    given: str = "",
    closed: Collection[int] = (),
    user: str | None = None,
    patience: float,
) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    with tempfile.TemporaryDirectory(prefix="gemwatch-warm-") as own:
        files = (Path(own, "in"), Path(own, "out"), Path(own, "err"))
        for file in files:
            file.write_bytes(b"" if file != files[0] else given.encode(errors="surrogateescape"))
        stdin, stdout, stderr = (None if number in closed else file for number, file in enumerate(files))
        streams = (stdin, stdout, stderr)
        process = WarmProcess(
            Call(arguments=arguments, environment=environment, folder=folder, streams=streams, user=user)
        )
        try:
            code = process.wait(patience)
        finally:
            process.kill()
        out, err = (file.read_text(errors="replace") for file in files[1:])
        return subprocess.CompletedProcess(arguments, code, out, err)


@functools.cache
def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    own = (".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts) for path in _PACKAGE.rglob("*.py"))
    # Only modules that are found without the tests' own path: the server does not have it.
    context.set_forkserver_preload(
        [*sorted(name for name in own if "__" not in name and "migrations" not in name), *_ELSEWHERE]
    )
    return context


def _run(call: Call) -> None:
    os.environ.clear()
    os.environ.update(call.environment)
    time.tzset()
    os.chdir(call.folder)
    sys.argv = [str(_PACKAGE / "__main__.py"), *call.arguments]
    if call.user is not None:
        _rehearse()
    _open(call.streams)
    if call.user is not None:
        become(call.user)
    if call.doom is not None:
        (Doom(order=call.doom) if isinstance(call.doom, Path) else Doom(*call.doom)).install()
    main()


def _rehearse() -> None:
    """Run the command once before its user changes, so that all it imports is there: others may not read Python."""
    nowhere = Path(os.devnull)
    _open((nowhere, nowhere, nowhere))
    with contextlib.suppress(SystemExit):
        main()


def _open(streams: Streams) -> None:
    """Set up the streams as the interpreter does at its start, where a closed one is None."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "utf-8").partition(":")
    for number, (name, path) in enumerate(zip(("stdin", "stdout", "stderr"), streams, strict=True)):
        if path is None:
            os.close(number)
            setattr(sys, name, None)
            continue
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY)
        if descriptor != number:
            os.dup2(descriptor, number)
            os.close(descriptor)
        policy = "backslashreplace" if name == "stderr" else errors or "strict"
        stream = open(number, "w" if number else "r", encoding=encoding, errors=policy, closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
