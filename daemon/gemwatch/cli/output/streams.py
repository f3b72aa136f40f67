"""Standard streams that are closed, full, or unable to carry a character, and how a command then ends."""

import errno
import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

FAILED, OWN_FAULT, INTERRUPTED = 1, 70, 130  # 70 is EX_SOFTWARE
_OUTPUT_LOST = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def prepare() -> None:
    """Open what is closed, and let no stream refuse a character.

    The store or a socket would otherwise get the number of a closed stream, and messages would be written into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number, and so this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream, errors in ((sys.stdin, "replace"), (sys.stdout, "replace"), (sys.stderr, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


def encodable(text: str) -> bool:
    """Whether standard output can carry a text as it is."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def guarded(work: Callable[[], object]) -> int:
    """Run a command; its exit code. Whatever it raises becomes a sentence."""
    try:
        work()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:  # the border of the program
        code = _explain(error)
    return _flushed(code)


def complain(sentence: str) -> None:
    """A sentence on standard error. If that cannot be written either, the exit code has to do."""
    with suppress(OSError):
        print(f"gemwatch: {sentence}", file=sys.stderr, flush=True)


def _explain(error: Exception) -> int:
    if isinstance(error, OSError):
        if error.filename is None and error.errno in _OUTPUT_LOST:
            return _lost(error)
        complain(f"{error.filename}: {error.strerror}" if error.filename else error.strerror or str(error))
        return FAILED
    databases = sys.modules.get("sqlalchemy.exc")  # not imported for this
    if databases is not None and isinstance(error, databases.DatabaseError):
        complain(f"the store does not work: {error.orig}")
        return FAILED
    # Neither the message nor the values of a traceback: they may hold what came from outside.
    complain(f"internal error of gemwatch: {type(error).__name__} at {_place(error)}. Please report it")
    return OWN_FAULT


def _place(error: Exception) -> str:
    """The innermost line of our own code, as `cli/status.py:71`."""
    own, found, trace = str(Path(__file__).parents[1]), "an unknown place", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(own):
            found = f"{file[len(own) + 1 :]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _lost(error: OSError) -> int:
    complain(f"standard output cannot be written: {error.strerror}")
    _silence(1)
    return FAILED


def _flushed(code: int) -> int:
    """Write what is still in the buffer. Output that is lost is a failure, unless its reader has seen enough."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(1)
        return code or FAILED
    except OSError as error:
        return max(code, _lost(error))
    try:
        sys.stderr.flush()
    except OSError:
        _silence(2)
    return code


def _silence(number: int) -> None:
    """The interpreter flushes once more when it exits, which must not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), number)
