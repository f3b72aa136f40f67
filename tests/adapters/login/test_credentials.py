"""Tokens from real commands and files: read, shared, renewed early, and without leftovers."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from getpass import getuser
from itertools import pairwise
from pathlib import Path

import pytest

from gemwatch.adapters.login.az import TokenCommand
from gemwatch.adapters.login.command import command_output
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.core.login import LoginError, Token
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import TokenSource
from support.clock import START, FakeClock
from support.tokens import az_json, jwt
from support.waiting import until

HOUR = 3600
LATER = START + timedelta(hours=1)


def put(file: Path, content: str | bytes) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)


class Az:
    """A token command: a shell script that counts its runs and waits while it is held."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "az"
        self.command = (str(self.path), "account", "get-access-token")
        self.does("exit 1")

    def does(self, script: str) -> None:
        head = f'#!/bin/sh\ncd "{self._folder}"\necho run >>runs\nwhile [ -e held ]; do sleep 0.01; done\n'
        new = self.path.with_suffix(".new")
        new.write_text(f"{head}{script}\n")
        new.chmod(0o755)
        new.rename(self.path)

    def prints(self, text: str) -> None:
        (self._folder / "answer").write_text(text)
        self.does("cat answer")

    def gives(self, token: str, lives: float, clock: FakeClock) -> None:
        self.prints(az_json(token, clock.now() + timedelta(seconds=lives)))

    def hold(self) -> None:
        (self._folder / "held").touch()

    def release(self) -> None:
        (self._folder / "held").unlink()

    @property
    def runs(self) -> int:
        runs = self._folder / "runs"
        return len(runs.read_text().splitlines()) if runs.exists() else 0


@pytest.fixture
def az(tmp_path: Path) -> Az:
    return Az(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


@pytest.fixture
async def credentials(az: Az, clock: FakeClock, secrets: Secrets) -> AsyncIterator[Credentials]:
    credentials = Credentials(TokenSource(command=az.command), clock, secrets, retry=False)
    yield credentials
    await credentials.close()


async def error_of(credentials: Credentials) -> str:
    with pytest.raises(LoginError) as caught:
        await credentials.token()
    return str(caught.value)


# The command


@pytest.fixture
async def patient(az: Az, clock: FakeClock, secrets: Secrets) -> AsyncIterator[Credentials]:
    """Credentials that retry, as the daemon's do."""
    credentials = Credentials(TokenSource(command=az.command), clock, secrets)
    yield credentials
    await credentials.close()


async def test_temporary_failure_is_not_reported(az: Az, patient: Credentials) -> None:
    az.does("[ $(wc -l <runs) = 1 ] && { echo 'the token cache is locked' >&2; exit 1; }; echo token-1")
    assert (await patient.token()).value == "token-1"
    assert az.runs == 2
    assert patient.last_error is None


async def test_lasting_temporary_failure_is_reported(az: Az, clock: FakeClock, patient: Credentials) -> None:
    az.does("echo 'connection timed out' >&2; exit 1")
    asking = asyncio.create_task(patient.token())
    await until(lambda: az.runs == 1, "the command")
    clock.advance(31)
    with pytest.raises(LoginError, match="connection timed out"):
        await asking


async def test_permanent_failure_is_reported_at_once(az: Az, patient: Credentials) -> None:
    az.does("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    await error_of(patient)
    assert az.runs == 1


async def test_failing_refresh_does_not_retry(az: Az, clock: FakeClock, patient: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    await patient.token()
    clock.advance(HOUR - 60)
    az.does("echo 'network is unreachable' >&2; exit 1")
    await patient.refresh_if_due()
    assert az.runs == 2


async def test_command_does_not_get_our_secrets(
    az: Az, clock: FakeClock, secrets: Secrets, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.add("our-api-key")
    given = {
        "REFERRED": "x",
        "COPIED": "our-api-key",
        "PGPASSWORD": "p",
        "NOTIFY_SOCKET": "/run/n",
        "VAULT": "theirs",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    az.does('echo "token:$REFERRED:$COPIED:$PGPASSWORD:$NOTIFY_SOCKET:$VAULT"')
    source = TokenSource(command=az.command, withheld=frozenset({"REFERRED"}))
    assert (await Credentials(source, clock, secrets).token()).value == "token:::::theirs"


async def test_remedy_names_tenant_and_application(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.prints(jwt(tid="my-tenant", scp="user_impersonation"))
    await credentials.token()
    assert "--tenant my-tenant" in credentials.remedy
    az.prints(jwt(tid="my-tenant", idtyp="app"))
    token = await credentials.renew(None)
    assert token.application
    assert "AZURE_CONFIG_DIR" in credentials.remedy


async def test_token_is_fetched_once(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    first = await credentials.token()
    assert first == Token(value="token-1", fetched_at=START, expires_at=START + timedelta(hours=1))
    assert "token-1" not in repr(first)
    clock.advance(HOUR - 1)
    assert await credentials.token() is first
    assert az.runs == 1
    assert credentials.expires_at == first.expires_at


async def test_expired_token_is_never_returned(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    await credentials.token()
    clock.advance(HOUR)
    az.gives("token-2", HOUR, clock)
    assert (await credentials.token()).value == "token-2"


async def test_every_token_is_masked(az: Az, clock: FakeClock, secrets: Secrets, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    await credentials.token()
    assert secrets.mask("Bearer token-1") == "Bearer ***"
    az.gives("expired-token", -1, clock)
    with pytest.raises(LoginError):
        await credentials.renew(None)
    assert secrets.mask("expired-token") == "***"


async def test_failing_command_has_last_words_and_remedy(az: Az, secrets: Secrets, credentials: Credentials) -> None:
    secrets.add("hunter22")
    az.does(
        """
        echo token-on-stdout
        jwt=eyJhbGciOiJub25l.eyJleHAiOjF9.x
        printf "\\033[31mERROR: AADSTS700082: hunter22 has expired. \\001$jwt\\033[0m\\n" >&2
        printf 'Trace ID: 1\\n\\n' >&2
        exit 1
        """
    )
    assert await error_of(credentials) == (
        'az ended with 1: "AADSTS700082: *** has expired. ***". The login was not used for 90 days. '
        f"As user {getuser()}, run:\n  az login --allow-no-subscriptions\nWithout a browser, add --use-device-code."
    )


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'one' >&2; echo 'two' >&2; exit 3", 'az ended with 3: "two". '),
        ("exit 2", "az ended with 2 and gave no reason. "),
        ("kill -9 $$", "az was killed by signal 9 and gave no reason. "),
        ("true", "az gave no token: it is empty. "),
        ("echo 'To sign in, use a web browser'", "az gave no token: it is neither JSON nor a single word. "),
        ('echo \'{"accessToken": "to\'', "az gave no token: its JSON is incomplete or invalid. "),
        ("echo 'tokén-123'", "az gave a token with characters that are not allowed in a header. "),
        ("echo '\"two words\"'", "az gave a token with characters that are not allowed in a header. "),
        ("head -c 300000 /dev/zero", "az printed more than 256 KiB. "),
        ("exec yes", "az printed more than 256 KiB. "),
    ],
)
async def test_wrong_output_of_a_command_is_explained(
    az: Az, credentials: Credentials, script: str, words: str
) -> None:
    az.does(script)
    message = await error_of(credentials)
    assert message.startswith(words)
    assert "".join(message.splitlines()).isprintable()


async def test_long_standard_error_is_cut_to_its_end(az: Az, credentials: Credentials) -> None:
    az.does("yes noise | head -c 1000000 >&2; yes word | head -n 200 | tr '\\n' ' ' >&2; exit 1")
    assert len(await error_of(credentials)) < 500
    az.does("yes noise | head -c 1000000 >&2; echo token-1")
    assert (await credentials.renew(None)).value == "token-1"


async def test_expired_token_points_to_the_clock(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", -60, clock)
    assert await error_of(credentials) == (
        "az gave a token that ended at 2026-03-01 11:59:00 UTC, and the clock here says 2026-03-01 12:00:00 UTC. "
        f"As user {getuser()}, run:\n  az login --allow-no-subscriptions\nWithout a browser, add --use-device-code."
    )


async def test_missing_command_is_named_with_the_path(
    clock: FakeClock, secrets: Secrets, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    message = await error_of(Credentials(TokenSource(command=("az", "--secret=s3cret")), clock, secrets))
    assert message.startswith(f"no program az on the PATH ({tmp_path}). ")
    assert "s3cret" not in message


@pytest.mark.parametrize("content", [None, "echo tok", "#!/no/such/interpreter\n"])
async def test_command_that_cannot_start_is_reported(
    clock: FakeClock, secrets: Secrets, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "tool"
    if content is not None:
        file.write_text(content)
        file.chmod(0o755 if content.startswith("#!") else 0o644)
    message = await error_of(Credentials(TokenSource(command=(str(file),)), clock, secrets))
    assert message.startswith("tool cannot be started: ")


async def test_argument_with_a_nul_is_a_failure(clock: FakeClock, secrets: Secrets) -> None:
    message = await error_of(Credentials(TokenSource(command=("az", "a\0b")), clock, secrets))
    assert message.startswith("az cannot be started: ")


async def test_command_has_no_input_and_our_environment(
    az: Az, credentials: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_CONFIG_DIR", "/somewhere")
    az.does('read -r line; echo "token$line$AZURE_CONFIG_DIR"')
    assert (await credentials.token()).value == "token/somewhere"


# Nothing is left behind

FAMILY = "sleep 1000 & echo $! >child; echo $$ >parent"


def alive(pid_file: Path) -> bool:
    """Whether that process still runs. A zombie does not count."""
    try:
        status = Path("/proc", pid_file.read_text().strip(), "stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def family_runs(folder: Path) -> Callable[[], bool]:
    parent = folder / "parent"
    return lambda: parent.exists() and parent.read_text().endswith("\n") and alive(parent) and alive(folder / "child")


async def family_is_gone(folder: Path) -> None:
    await until(lambda: not alive(folder / "parent") and not alive(folder / "child"), "the end of all processes")


async def test_command_that_hangs_is_stopped_with_its_children(
    az: Az, secrets: Secrets, clock: FakeClock, tmp_path: Path
) -> None:
    az.does(f"{FAMILY}; wait")
    limit = timedelta(seconds=0.5)
    message = await error_of(
        Credentials(TokenSource(command=az.command), clock, secrets, retry=False, command_limit=limit)
    )
    assert message.startswith("az did not end within 0.5 s and was stopped. ")
    await family_is_gone(tmp_path)


async def test_cancelled_command_is_stopped_with_its_children(az: Az, secrets: Secrets, tmp_path: Path) -> None:
    az.does(f"{FAMILY}; wait")
    running = asyncio.create_task(command_output(TokenCommand(command=az.command, environ=os.environ), secrets))
    await until(family_runs(tmp_path), "the command")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await family_is_gone(tmp_path)


async def test_child_with_open_output_does_not_delay_the_token(
    az: Az, credentials: Credentials, tmp_path: Path
) -> None:
    az.does(f"{FAMILY}; echo token-1")
    assert (await credentials.token()).value == "token-1"
    await family_is_gone(tmp_path)


async def test_child_outside_the_group_does_not_delay_the_token(
    az: Az, credentials: Credentials, tmp_path: Path
) -> None:
    escape = "setsid sh -c 'echo $$ >escaped; while [ ! -e done ]; do sleep 0.02; done' &"
    az.does(f"{escape} while [ ! -e escaped ]; do sleep 0.01; done; echo token-1")
    assert (await credentials.token()).value == "token-1"
    assert alive(tmp_path / "escaped")
    put(tmp_path / "done", "")
    await until(lambda: not alive(tmp_path / "escaped"))


async def test_close_ends_a_fetch_with_a_login_error(az: Az, credentials: Credentials, tmp_path: Path) -> None:
    az.does(f"{FAMILY}; wait")
    waiting = asyncio.create_task(credentials.token())
    await until(family_runs(tmp_path), "the command")
    await credentials.close()
    with pytest.raises(LoginError):
        await waiting
    await family_is_gone(tmp_path)


# One fetch for all


async def test_concurrent_callers_share_one_fetch(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    tokens = await asyncio.gather(*(credentials.token() for _ in range(100)), credentials.renew(None))
    assert {token.value for token in tokens} == {"token-1"}
    assert az.runs == 1


async def test_cancelled_caller_does_not_cancel_the_fetch(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    az.hold()
    first, second = asyncio.create_task(credentials.token()), asyncio.create_task(credentials.token())
    await until(lambda: az.runs == 1, "the command")
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    az.release()
    assert (await second).value == "token-1"
    assert az.runs == 1


async def test_abandoned_failed_fetch_leaves_no_warning(az: Az, credentials: Credentials) -> None:
    az.hold()
    waiting = asyncio.create_task(credentials.token())
    await until(lambda: az.runs == 1, "the command")
    waiting.cancel()
    az.release()
    await until(lambda: credentials.last_error, "the failure")


async def test_failure_is_remembered_for_half_a_minute(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    told = await error_of(credentials)
    for _ in range(100):
        assert await error_of(credentials) == told
    assert az.runs == 1
    clock.advance(31)
    az.gives("token-1", HOUR, clock)
    assert (await credentials.token()).value == "token-1"
    assert credentials.last_error is None


async def test_renewal_ignores_a_remembered_failure(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    await error_of(credentials)
    az.gives("token-1", HOUR, clock)
    assert (await credentials.renew(None)).value == "token-1"
    assert (await credentials.token()).value == "token-1"


async def test_caller_after_a_failure_waits_for_the_renewal(
    az: Az, clock: FakeClock, credentials: Credentials
) -> None:
    await error_of(credentials)
    az.gives("token-1", HOUR, clock)
    az.hold()
    probe = asyncio.create_task(credentials.renew(None))
    await until(lambda: az.runs == 2, "the command")
    waiting = asyncio.create_task(credentials.token())
    await asyncio.sleep(0)
    az.release()
    assert await waiting is await probe
    assert az.runs == 2


async def test_refused_token_is_renewed_once_for_all(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    stale = await credentials.token()
    az.gives("token-2", HOUR, clock)
    renewed = await asyncio.gather(*(credentials.renew(stale) for _ in range(20)))
    late = await credentials.renew(stale)
    assert {token.value for token in (*renewed, late)} == {"token-2"}
    assert az.runs == 2


async def test_unchanged_token_is_fetched_once_for_all(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    stale = await credentials.token()
    again = await credentials.renew(stale)
    assert await credentials.renew(stale) is again
    assert (again.value, az.runs) == ("token-1", 2)
    assert await credentials.renew(again) is again  # the API did not refuse such a new token for its age
    assert az.runs == 2
    clock.advance(31)
    await credentials.renew(again)
    assert az.runs == 3


# Before it expires


@pytest.mark.parametrize(
    ("lives", "due"),
    [
        (90 * 60, 72 * 60),  # the last fifth
        (HOUR, 48 * 60),
        (12 * 60, 7 * 60),  # the last 5 minutes
        (60, 30),  # the second half
    ],
)
async def test_token_is_renewed_before_it_expires(
    az: Az, clock: FakeClock, credentials: Credentials, lives: float, due: float
) -> None:
    az.gives("token-1", lives, clock)
    await credentials.token()
    clock.advance(due - 1)
    await credentials.refresh_if_due()
    assert az.runs == 1
    clock.advance(1)
    az.gives("token-2", lives, clock)
    await credentials.refresh_if_due()
    assert (await credentials.token()).value == "token-2"
    assert az.runs == 2


async def test_refresh_does_nothing_before_the_first_use(az: Az, credentials: Credentials) -> None:
    await credentials.refresh_if_due()
    assert az.runs == 0


async def test_failing_refresh_keeps_the_old_token(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", 3 * HOUR, clock)
    old = await credentials.token()
    az.does("echo down >&2; exit 1")
    clock.advance(2.5 * HOUR)
    tried_at = []
    for second in range(0, 1200, 10):
        before = az.runs
        await credentials.refresh_if_due()
        if az.runs > before:
            tried_at.append(second)
        assert await credentials.token() is old
        clock.advance(10)
    pauses = [later - earlier for earlier, later in pairwise(tried_at)]
    assert pauses == [20, 30, 60, 120, 240, 300, 300]  # 15 s, doubling to 5 min, seen every 10 s
    assert "down" in str(credentials.last_error)
    az.gives("token-2", HOUR, clock)
    clock.advance(300)
    await credentials.refresh_if_due()
    assert (await credentials.token()).value == "token-2"
    assert credentials.last_error is None


async def test_token_stays_available_during_a_refresh(az: Az, clock: FakeClock, credentials: Credentials) -> None:
    az.gives("token-1", HOUR, clock)
    await credentials.token()
    clock.advance(50 * 60)
    az.gives("token-2", HOUR, clock)
    az.hold()
    refresh = asyncio.create_task(credentials.refresh_if_due())
    await until(lambda: az.runs == 2, "the command")
    assert (await credentials.token()).value == "token-1"
    az.release()
    await refresh
    assert (await credentials.token()).value == "token-2"


# A file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "token"


@pytest.fixture
def from_file(file: Path, clock: FakeClock, secrets: Secrets) -> Credentials:
    return Credentials(TokenSource(file=file), clock, secrets, retry=False)


async def test_token_file_is_read_again_when_it_changes(file: Path, from_file: Credentials) -> None:
    put(file, "token-1\n")
    first = await from_file.token()
    assert first.value == "token-1"
    assert await from_file.token() is first
    new = file.with_suffix(".new")
    put(new, json.dumps({"accessToken": "token-2"}))
    new.rename(file)
    assert (await from_file.token()).value == "token-2"
    put(file, jwt(exp=LATER.timestamp()))
    assert (await from_file.token()).expires_at == LATER


async def test_swapped_symlink_is_a_change(file: Path, from_file: Credentials, tmp_path: Path) -> None:
    for token in ("token-1", "token-2"):
        (tmp_path / f"{token}.txt").write_text(token)
        link = tmp_path / "link"
        link.symlink_to(f"{token}.txt")
        link.rename(file)
        assert (await from_file.token()).value == token


async def test_broken_token_file_keeps_the_valid_token(file: Path, clock: FakeClock, from_file: Credentials) -> None:
    put(file, jwt(exp=LATER.timestamp()))
    good = await from_file.token()
    put(file, "")
    assert await from_file.token() is good
    assert "it is empty" in str(from_file.last_error)
    clock.advance(HOUR)
    await error_of(from_file)
    put(file, "token-2")
    assert (await from_file.token()).value == "token-2"


async def test_unchanged_file_gives_the_same_token(file: Path, from_file: Credentials) -> None:
    put(file, "token-1")
    assert (await from_file.renew(await from_file.token())).value == "token-1"


async def test_unusable_token_file_is_named(file: Path, from_file: Credentials) -> None:
    assert await error_of(from_file) == (
        f"the token file {file} cannot be read: no such file or directory. Write a valid token to it"
    )
    for content in (b"", b"  \n", b"two words", b"\xff\xfe\x00", b"x" * 70_000):
        put(file, content)
        assert (await error_of(from_file)).startswith(f"the token file {file} ")
    os.mkfifo(file.with_suffix(".pipe"))
    file.with_suffix(".pipe").rename(file)
    assert "not a regular file" in await error_of(from_file)


# A value


async def test_given_value_is_the_token(clock: FakeClock, secrets: Secrets) -> None:
    credentials = Credentials(TokenSource(value="token-1"), clock, secrets)
    token = await credentials.token()
    assert (token.value, token.expires_at) == ("token-1", None)
    assert (await credentials.renew(token)).value == "token-1"
    assert secrets.mask("token-1") == "***"


async def test_expired_value_is_not_used(clock: FakeClock, secrets: Secrets) -> None:
    credentials = Credentials(TokenSource(value=jwt(exp=LATER.timestamp())), clock, secrets)
    assert (await credentials.token()).expires_at == datetime(2026, 3, 1, 13, tzinfo=UTC)
    clock.advance(HOUR)
    assert (await error_of(credentials)).startswith("api.token.value gave a token that ended at ")
