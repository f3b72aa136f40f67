"""Commands with closed, full and ASCII-only streams, in odd folders, as other users, with bad ids: no traceback."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemwatch.demo.server import free_port
from support.daemon import GEMWATCH, Installation, environment, run_gemwatch
from support.waiting import wait_until

BAD_IDS = (
    "0", "-1", "-5", "01", "1.5", "1e3", "1_000", "0x10", "+7", " 7", "7 ", "seven", "", "--", "*",
    "9223372036854775808", "99999999999999999999", "9" * 5000, "\u0661\u0662", "7\n8", "$(id)", "\udcff", "NaN",
)  # fmt: skip
SENTENCE = "is not a job id; write an integer from 1 to 9223372036854775807"
TAKE_IDS = (["status"], ["history"], ["estimate"], ["wait"], ["watch"], ["unwatch"])
READERS = (["status"], ["history"], ["deliveries"], ["estimate"], ["db", "info"])


def shell(installation: Installation, line: str, **more: str) -> subprocess.CompletedProcess[str]:
    """A line for a shell, in which `$G` is the program and `$C` its configuration."""
    return subprocess.run(
        ["bash", "-c", f'G="{" ".join(GEMWATCH)}"; C="--config {installation.config}"; {line}'],
        capture_output=True, text=True, check=False, timeout=120, env=environment(**more),
    )  # fmt: skip


def assert_sentence(done: subprocess.CompletedProcess[str], *codes: int) -> None:
    assert done.returncode in codes, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("command", TAKE_IDS, ids=" ".join)
def test_bad_ids_are_refused_with_one_sentence(filled: Installation, command: list[str]) -> None:
    before = filled.config.read_bytes()
    for bad in BAD_IDS:
        done = run_gemwatch(*command, "--config", str(filled.config), "--", bad)
        assert_sentence(done, 2)
        assert SENTENCE in done.stderr, (bad, done.stderr)
    assert filled.config.read_bytes() == before


@pytest.mark.parametrize("command", TAKE_IDS, ids=" ".join)
def test_negative_id_is_not_an_option(filled: Installation, command: list[str]) -> None:
    done = filled.run(*command, "-5")
    assert_sentence(done, 2)
    assert SENTENCE in done.stderr


@pytest.mark.parametrize("bad", ["0", "-3", "x", "9" * 20, "9" * 5000])
def test_bad_delivery_ids_are_refused(filled: Installation, bad: str) -> None:
    done = filled.run("deliveries", "retry", "--", bad)
    assert_sentence(done, 2)


@pytest.mark.parametrize("stream", ["0<&-", ">&-", "2>&-", "0<&- >&- 2>&-"])
@pytest.mark.parametrize("command", [["status"], ["check"]], ids=" ".join)
def test_closed_streams_cause_no_traceback(filled: Installation, command: list[str], stream: str) -> None:
    assert_sentence(shell(filled, f"$G {' '.join(command)} $C {stream}"), 0)


def test_daemon_runs_with_all_streams_closed(installation: Installation) -> None:
    installation.configure()
    command = f'exec {" ".join(GEMWATCH)} run --config "{installation.config}" 0<&- >&- 2>&-'
    process = subprocess.Popen(["bash", "-c", command], env=environment())
    try:
        wait_until(lambda: _answers(installation.port), "the daemon's page")
        assert (installation.folder / "gemwatch.db").read_bytes().startswith(b"SQLite format 3")
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("command", [*READERS, ["schema"], ["version"]], ids=" ".join)
def test_full_output_is_reported(filled: Installation, command: list[str]) -> None:
    done = shell(filled, f"$G {' '.join(command)} $C > /dev/full" if command[0] not in ("schema", "version") else
                 f"$G {' '.join(command)} > /dev/full")  # fmt: skip
    assert_sentence(done, 1)
    assert "gemwatch: standard output cannot be written: No space left on device" in done.stderr


def test_full_error_stream_leaves_the_exit_code(filled: Installation) -> None:
    assert_sentence(shell(filled, "$G status 77 $C 2> /dev/full"), 1)
    assert_sentence(shell(filled, "$G status x $C 2> /dev/full"), 2, 1)


@pytest.mark.parametrize("command", READERS, ids=" ".join)
def test_broken_pipe_is_silent(filled: Installation, command: list[str]) -> None:
    done = shell(filled, f"$G {' '.join(command)} $C | true; exit ${{PIPESTATUS[0]}}")
    assert_sentence(done, 0, 1)
    assert "standard output" not in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "ascii:strict"])
def test_ascii_output_replaces_other_characters(filled: Installation, encoding: str) -> None:
    done = shell(filled, "$G status $C", PYTHONIOENCODING=encoding, LC_ALL="C")
    assert_sentence(done, 0)


ODD_FOLDERS = (
    "a b",
    "what?",
    "job_feature%2Fx",
    "a%20b",
    "#hash",
    "umläut",
    "quote'\"",
    "a\nb",
    "$HOME",
    "[x]",
    "\udcff",
)


@pytest.mark.parametrize("name", ODD_FOLDERS, ids=ascii)
def test_store_works_in_folders_with_odd_names(filled: Installation, name: str) -> None:
    folder = filled.folder / name
    folder.mkdir()
    for file in ("config.yaml", "gemwatch.db"):
        shutil.copy(filled.folder / file, folder / file)
    for command in (["check"], *READERS, ["healthcheck"], ["doctor", "--offline"]):
        done = run_gemwatch(*command, "--config", "config.yaml", folder=folder)
        assert_sentence(done, 1 if command == ["healthcheck"] else 0)
    assert {file.name for file in filled.folder.iterdir()} >= {"config.yaml", "gemwatch.db", name}
    assert not list(filled.folder.glob("*.db-*"))


@pytest.fixture
def public(filled: Installation) -> Iterator[Installation]:
    """The same in a folder that other users may look into; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        filled.config = Path(folder) / "config.yaml"
        filled.configure()
        filled.config.chmod(0o644)
        yield filled


def as_nobody(installation: Installation, *command: str) -> subprocess.CompletedProcess[str]:
    return run_gemwatch(*command, "--config", str(installation.config), folder=Path("/"), user="nobody")


ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@ROOT_ONLY
@pytest.mark.parametrize("command", [*READERS, ["doctor", "--offline"]], ids=" ".join)
def test_error_names_the_owner_of_the_store(public: Installation, command: list[str]) -> None:
    state, daemon = public.config.parent / "state", pwd.getpwnam("daemon")
    state.mkdir()
    shutil.copy(public.folder / "gemwatch.db", state)
    for path in (state, state / "gemwatch.db"):
        os.chown(path, daemon.pw_uid, daemon.pw_gid)
    state.chmod(0o700)
    public.configure(store={"url": f"sqlite:///{state / 'gemwatch.db'}"})
    public.config.chmod(0o644)
    done = as_nobody(public, *command)
    assert_sentence(done, 1)
    words = done.stdout + done.stderr
    assert f"{state} belongs to user daemon, and user nobody may not look into it" in words
    assert "sudo -Hu daemon" in words


@ROOT_ONLY
def test_error_names_the_owner_of_the_configuration(public: Installation) -> None:
    public.config.chmod(0o640)
    os.chown(public.config, 0, pwd.getpwnam("daemon").pw_gid)
    for command in (["status"], ["check"], ["token"]):
        done = as_nobody(public, *command)
        assert_sentence(done, 2)
        assert f"{public.config} belongs to user daemon, and user nobody may not read it" in done.stderr


def test_healthcheck_of_a_silent_port_fails(installation: Installation) -> None:
    port = free_port()
    done = installation.run("healthcheck", "--url", f"http://127.0.0.1:{port}")
    assert_sentence(done, 1)
