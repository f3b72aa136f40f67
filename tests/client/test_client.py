"""The client against the real server, and against servers that are not one."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gemwatch.adapters.store.tables import groups, watches
from gemwatch.client import (
    AddressError,
    Client,
    ClientError,
    IncompatibleError,
    NotFinishedError,
    TokenError,
    UnavailableError,
    UnknownJobError,
    read_token,
)
from gemwatch.core.settings import WebSettings
from gemwatch.demo.server import free_port
from support import filled
from support.clock import START
from support.filled import fill
from support.http import Handler, Server
from support.web import served_in_a_thread, store_in

TOKEN = "a-token-for-the-web-9f31"
LATEST = 2**63 - 1


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = store_in(tmp_path_factory.mktemp("store"))
    fill(store)
    with served_in_a_thread(store, WebSettings(token=TOKEN)) as url:
        yield url


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(f"{url}/", token=TOKEN) as client:
        yield client


def test_jobs_have_the_values_that_the_api_answers(client: Client) -> None:
    jobs = client.jobs()
    assert sorted(jobs) == [1, 2, 3, 4, 5, LATEST]
    assert (jobs[2].name, jobs[2].status, jobs[2].finished) == ("Weekly NL", "REQUESTED", False)
    assert jobs[2].status_since == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert (jobs[1].status, jobs[1].details) == (None, None)
    assert jobs[5].details is not None
    assert jobs[5].details["input_filename"] == "in/5.parquet"
    assert (jobs[3].misses, jobs[3].last_error) == (2, "HTTP 500")


def test_jobs_can_be_filtered(client: Client) -> None:
    assert sorted(client.jobs(finished=True)) == [5, LATEST]
    assert sorted(client.jobs(status=["FAILED", "REQUESTED"])) == [2, LATEST]
    assert sorted(client.jobs([5, 2, 5, 99])) == [2, 5]
    assert sorted(client.jobs(range(3, 400))) == [3, 4, 5]
    assert client.jobs([]) == {}


def test_groups_have_the_values_that_the_api_answers(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    members = [{**filled.seen(job_id, "SUCCESS"), "group_name": "release"} for job_id in (1, 2)]
    filled.add(store, (watches, [*members, filled.seen(3, "FAILED")]))
    filled.add(store, (groups, [{"name": "release", "member_added_at": START}]))
    with served_in_a_thread(store) as url, Client(url) as client:
        (group,) = client.groups().values()
        assert sorted(client.jobs(group="release")) == [1, 2]
        assert client.jobs(group="other") == {}
    assert (group.name, group.members, group.finished, group.jobs) == ("release", 2, 2, {"SUCCESS": 2})
    assert (group.member_added_at, group.done_at, group.incomplete) == (START, None, False)


def test_one_job_has_its_history(client: Client) -> None:
    job = client.job(5)
    assert [(move.before, move.after) for move in job.transitions] == [(None, "REQUESTED"), ("REQUESTED", "SUCCESS")]
    assert [(one.target, one.state) for one in job.deliveries] == [("team", "sent"), ("mail", "failed")]
    with pytest.raises(UnknownJobError, match="does not know job 99"):
        client.job(99)


def test_service_has_its_state(client: Client) -> None:
    service = client.service()
    assert (service.login, service.api, service.deliveries.failed) == ("ok", "down", 1)


def test_wait_returns_ended_jobs_and_names_others(client: Client) -> None:
    assert client.wait([5, LATEST])[LATEST].status == "FAILED"
    assert client.wait([2, 5], any_one=True)[5].finished
    with pytest.raises(UnknownJobError, match="does not watch job 99"):
        client.wait([5, 99])
    with pytest.raises(NotFinishedError):
        client.wait([2], timeout=timedelta())


@pytest.mark.parametrize(("token", "words"), [(None, "asks for a token"), ("wrong", "refuses the token")])
def test_wrong_token_is_an_error_of_its_own(url: str, token: str | None, words: str) -> None:
    with Client(url, token=token) as client, pytest.raises(TokenError, match=words):
        client.jobs()


def test_password_of_netrc_does_not_replace_the_token(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with Client(url, token=TOKEN) as client:
        assert client.service().login == "ok"


class Scripted(Server):
    """Gives one answer to every request, and keeps what was asked."""

    def __init__(self, status: int, body: bytes, **headers: str) -> None:
        asked = self.asked = list[tuple[str, str | None]]()

        class Answers(Handler):
            def do_GET(self) -> None:
                asked.append((self.path, self.headers["Authorization"]))
                self.answer(status, body, headers)

        super().__init__(Answers)


NEWER = json.dumps({"version": "9.1.0", "state": "ok"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (200, NEWER, IncompatibleError, "is gemwatch 9.1.0, which this version, .* use the same version"),
        (200, b'{"status": "UP"}', AddressError, "not from gemwatch"),
        (200, b"<html>welcome</html>", AddressError, "not from gemwatch"),
        (404, b"<html>nothing</html>", AddressError, "check the host, port and path"),
        (421, b'{"error": "x"}', AddressError, "does not accept this host name"),
        (403, b"", TokenError, "HTTP 403"),
        (429, b'{"error": "too many wrong tokens"}', UnavailableError, "HTTP 429, too many wrong tokens"),
        (503, b'{"error": "the store does not answer"}', UnavailableError, "the store does not answer"),
        (502, b"<html>", UnavailableError, "HTTP 502$"),
    ],
)
def test_odd_answer_is_an_error_with_a_remedy(status: int, body: bytes, error: type[ClientError], words: str) -> None:
    with Scripted(status, body) as server, Client(server.url) as client, pytest.raises(error, match=words):
        client.service()


def test_unknown_parameter_means_another_version() -> None:
    body = b'{"error": "job_id: is not known here", "parameter": "job_id"}'
    with Scripted(400, body) as server, Client(server.url) as client, pytest.raises(IncompatibleError):
        client.jobs([1])


def test_token_does_not_follow_a_redirect() -> None:
    with Scripted(200, b"{}") as other, Scripted(302, b"", Location=f"{other.url}/api/service") as server:
        with Client(server.url, token=TOKEN) as client, pytest.raises(AddressError, match="redirects"):
            client.service()
        assert server.asked == [("/api/service", f"Bearer {TOKEN}")]
        assert other.asked == []


def test_missing_server_is_named_with_the_reason() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url) as client, pytest.raises(UnavailableError, match=f"{url} cannot be reached: connection refused"):
        client.service()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://gemwatch.example.com", "http is only for this machine"),
        ("gemwatch.example.com", "not an https URL"),
        ("ftp://127.0.0.1", "not an https URL"),
        ("https://", "not an https URL"),
        ("https://[::1", "not a URL"),
        ("https://user:secret-1@gemwatch.example.com", "holds a password"),
        ("https://gemwatch.example.com/?a=1", "query"),
    ],
)
def test_unusable_url_is_refused_without_a_request(url: str, words: str) -> None:
    with pytest.raises(AddressError, match=words) as refused:
        Client(url)
    assert "secret-1" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://localhost:8042", "http://[::1]:8042/", "https://gemwatch.example.com/gem/"])
def test_usable_url_loses_its_last_slash(url: str) -> None:
    assert Client(url).url == url.rstrip("/")


def test_token_comes_from_the_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token({"GEMWATCH_WEB_TOKEN": "other"}, file) == TOKEN
    assert read_token({"GEMWATCH_WEB_TOKEN": f" {TOKEN}\n"}) == TOKEN
    assert read_token({"GEMWATCH_WEB_TOKEN": ""}) is None


@pytest.mark.parametrize("content", [b"", b"two words", "t\N{LATIN SMALL LETTER E WITH ACUTE}".encode()])
def test_unusable_token_is_refused_with_its_place(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(TokenError, match=r"token: this is not a token"):
        read_token({}, file)
    with pytest.raises(TokenError, match="cannot be read"):
        read_token({}, tmp_path / "none")
