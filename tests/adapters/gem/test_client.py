"""Every documented answer, and invalid answers, from a real local server."""

import gzip
import json
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from gemwatch import __version__
from gemwatch.adapters.gem.body import body_of
from gemwatch.adapters.gem.client import GemApi
from gemwatch.adapters.http.session import NoAnswerError
from gemwatch.core.job import NotFound, Refused, Seen, Throttled
from gemwatch.core.listing import Listing
from gemwatch.core.refusals import Culprit
from support.asking import api_at, endless, failed, raw
from support.clock import START, FakeClock
from support.gem import KEY, TOKEN, Answer, ScriptedGem, document

# What a request looks like


async def test_request_carries_key_and_token_only(gem: ScriptedGem, api: GemApi) -> None:
    gem.answers(7, "IN_PROGRESS")
    seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Seen)
    assert (seen.job.job_id, seen.job.status) == (7, "IN_PROGRESS")
    assert json.loads(seen.raw) == document(7, "IN_PROGRESS")
    [request] = gem.requests
    assert request.path == "/jobs/7"
    assert request.headers == {
        "host": f"127.0.0.1:{gem.port}",
        "tomtom-api-key": KEY,
        "authorization": f"Bearer {TOKEN}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": f"gemwatch/{__version__}",
    }


@pytest.mark.parametrize("path", ["", "/orbis/gem", "/or%20bis/a%2Fb"])
async def test_base_url_may_have_a_path_and_end_in_a_slash(gem: ScriptedGem, path: str) -> None:
    async with api_at(f"{gem.url}{path}/") as api:
        await api.ask(7, TOKEN)
        await api.ask(8, TOKEN)
    assert [r.path for r in gem.requests] == [f"{path}/jobs/7", f"{path}/jobs/8"]


async def test_each_request_carries_its_token(gem: ScriptedGem, api: GemApi) -> None:
    gem.answers(7, "IN_PROGRESS")
    for token in ("first", "first", "second"):
        await api.ask(7, token)
    assert [r.headers["authorization"] for r in gem.requests] == ["Bearer first", "Bearer first", "Bearer second"]


@pytest.mark.parametrize("token", ["", "two words", "line\r\nbreak", "nul\0", "umläut", "\U0001f511"])
async def test_invalid_token_is_refused_without_a_request(gem: ScriptedGem, api: GemApi, token: str) -> None:
    seen = await api.ask(7, token)
    assert isinstance(seen, Refused)
    assert "token" in seen.reason
    assert gem.requests == []


@pytest.mark.parametrize("key", ["", "key\r\nX-Injected: 1", "schlüssel"])
async def test_invalid_key_is_refused_without_a_request(gem: ScriptedGem, key: str) -> None:
    async with api_at(gem.url, key=key) as api:
        seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Refused)
    assert "key" in seen.reason
    assert gem.requests == []


# The table of answers


async def test_404_is_not_found(gem: ScriptedGem, api: GemApi) -> None:
    assert isinstance(await api.ask(7, TOKEN), NotFound)


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_login_is_refused_with_its_status(gem: ScriptedGem, api: GemApi, status: int) -> None:
    gem.answers(7, Answer(status=status, body=b'{"detail": "no"}'))
    seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Refused)
    assert not seen.certain
    assert seen.reason.startswith(f"HTTP {status} ")


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
async def test_server_error_is_not_a_bad_answer(gem: ScriptedGem, api: GemApi, status: int) -> None:
    gem.answers(7, Answer(status=status, body=b"<html>Bad gateway</html>"))
    seen = failed(await api.ask(7, TOKEN))
    assert not seen.bad
    assert seen.reason.startswith(f"HTTP {status}")


@pytest.mark.parametrize("status", [201, 202, 204, 206, 304, 400, 402, 405, 410, 418, 451, 600, 999])
async def test_any_other_status_is_a_bad_answer(gem: ScriptedGem, api: GemApi, status: int) -> None:
    body = b"" if status in (204, 304) else json.dumps(document(7, "SUCCESS")).encode()
    gem.answers(7, Answer(status=status, body=body))
    seen = failed(await api.ask(7, TOKEN))
    assert seen.bad
    assert seen.reason.startswith(f"HTTP {status}")


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "86400"}, 3600),
        ({"Retry-After": "9" * 400}, 3600),
        ({"Retry-After": "9" * 5000}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "1.5"}, None),
        ({"Retry-After": format_datetime(START + timedelta(seconds=90), usegmt=True)}, 90),
        ({"Retry-After": format_datetime(START - timedelta(days=1), usegmt=True)}, 0),
        ({"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"}, 3600),
        ({"Retry-After": "Sun, 01 Mar 2026 12:00:30 -0000"}, 30),
        ({"Retry-After": "Mon, 99 Foo 2026 99:99:99 GMT"}, None),
    ],
)
async def test_429_sets_the_pause(gem: ScriptedGem, headers: dict[str, str], pause: float | None) -> None:
    gem.answers(7, raw(b"HTTP/1.1 429 Slow\r\n", *(f"{k}: {v}\r\n".encode() for k, v in headers.items()), b"\r\n"))
    async with api_at(gem.url, FakeClock()) as api:
        seen = await api.ask(7, TOKEN)
    assert seen == Throttled(at=START, retry_after=None if pause is None else timedelta(seconds=pause))


async def test_retry_after_date_uses_the_servers_clock(gem: ScriptedGem) -> None:
    theirs = datetime(2031, 5, 5, 5, 5, tzinfo=UTC)
    date, later = (format_datetime(t, usegmt=True).encode() for t in (theirs, theirs + timedelta(seconds=40)))
    gem.answers(7, raw(b"HTTP/1.1 429 Slow\r\nDate: " + date + b"\r\nRetry-After: " + later + b"\r\n\r\n"))
    async with api_at(gem.url, FakeClock()) as api:
        assert await api.ask(7, TOKEN) == Throttled(at=START, retry_after=timedelta(seconds=40))


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"Retry-After": "120"}, 120),
        ({"Retry-After": "3600"}, 900),
        ({"Retry-After": "soon"}, None),
    ],
)
async def test_503_sets_the_pause(gem: ScriptedGem, headers: dict[str, str], pause: float | None) -> None:
    gem.answers(7, Answer(status=503, body=b"<h1>Down for maintenance</h1>", headers=headers))
    async with api_at(gem.url, FakeClock()) as api:
        seen = await api.ask(7, TOKEN)
    waits = None if pause is None else timedelta(seconds=pause)
    assert seen == Throttled(at=START, retry_after=waits, status=503, words="Down for maintenance")


RATE_HEADERS = {"X-Error-Detail-Header": "Account Over Queries Per Second Limit"}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"<h1>Developer Over Qps</h1>", {}),
        (b"", RATE_HEADERS),
        (b"\xff\xfe", {"X-Mashery-Error-Code": "ERR_403_DEVELOPER_OVER_RATE"}),
        (gzip.compress(b'{"error": "Too many requests"}'), {"Content-Encoding": "gzip"}),
        (b"rate limit exceeded" + b" " * 200_000, {}),  # longer than the part that is read
    ],
    ids=["html", "header", "code", "packed json", "long"],
)
async def test_403_about_the_rate_asks_to_wait(
    gem: ScriptedGem, api: GemApi, body: bytes, headers: dict[str, str]
) -> None:
    gem.answers(7, Answer(status=403, body=body, headers={"Retry-After": "7", **headers}))
    seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Throttled)
    assert (seen.status, seen.retry_after) == (403, timedelta(seconds=7))


async def test_refusal_carries_the_words_of_the_api(gem: ScriptedGem, api: GemApi) -> None:
    body = {"detailedError": {"message": f"Invalid API key {KEY.upper()} with {TOKEN}"}}
    gem.answers(7, Answer(status=401, body=json.dumps(body).encode()))
    seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Refused)
    assert (seen.culprit, seen.status, seen.words) == (Culprit.KEY, 401, "Invalid API key *** with ***")
    assert seen.reason == 'HTTP 401 Unauthorized: "Invalid API key *** with ***"'


async def test_refusal_without_words_says_so(gem: ScriptedGem, api: GemApi) -> None:
    gem.answers(7, Answer(status=403))
    seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Refused)
    assert (seen.culprit, seen.reason) == (Culprit.UNKNOWN, "HTTP 403 Forbidden: the API gives no reason")


# Invalid answers with status 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please sign in</html>",
        b'{"job_id": 7, "status": "SUCC',
        b"[]",
        b"null",
        b'{"jobs": []}',
        b'{"job_id": 7}',
        b'{"status": "SUCCESS"}',
        b'{"job_id": true, "status": "SUCCESS"}',
        b'{"job_id": 7, "status": null}',
        b'{"job_id": 7, "status": ""}',
        b'{"job_id": 7, "status": ["SUCCESS"]}',
        b'{"job_id": 8, "status": "SUCCESS"}',
        b'{"job_id": ' + b"7" * 5000 + b', "status": "SUCCESS"}',
        b'{"job_id": 7, "status": "\xff\xfe"}',
        json.dumps(document(7, "SUCCESS")).encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:30]),
)
async def test_body_about_another_job_is_a_bad_answer(gem: ScriptedGem, api: GemApi, body: bytes) -> None:
    gem.answers(7, Answer(body=body))
    assert failed(await api.ask(7, TOKEN)).bad


async def test_odd_field_does_not_hide_the_status(gem: ScriptedGem, api: GemApi) -> None:
    odd = {"storage_id": 5, "input_filename": None, "requested_at": "yesterday", "statistics": [1], "new": {"a": 1}}
    gem.answers(7, {"job_id": "7", "status": "PAUSED", **odd})
    seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Seen)
    assert (seen.job.job_id, seen.job.status, seen.job.storage_id) == (7, "PAUSED", None)
    assert json.loads(seen.raw)["new"] == {"a": 1}


async def test_byte_order_mark_is_accepted(gem: ScriptedGem, api: GemApi) -> None:
    gem.answers(7, Answer(body=json.dumps(document(7, "SUCCESS")).encode("utf-8-sig")))
    assert isinstance(await api.ask(7, TOKEN), Seen)


DETAILS = json.dumps(document(7, "SUCCESS")).encode()


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(DETAILS)),
        ("X-GZip", gzip.compress(DETAILS)),
        ("deflate", zlib.compress(DETAILS)),
        ("deflate", deflated(DETAILS)),
        ("identity", DETAILS),
    ],
)
async def test_compressed_answer_is_decompressed(gem: ScriptedGem, api: GemApi, coding: str, body: bytes) -> None:
    gem.answers(7, Answer(body=body, headers={"Content-Encoding": coding}))
    seen = await api.ask(7, TOKEN)
    assert isinstance(seen, Seen)
    assert seen.job.status == "SUCCESS"
    assert gem.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("gzip", DETAILS, "cannot be decompressed as gzip"),
        ("gzip", gzip.compress(DETAILS)[:-20], "cannot be decompressed as gzip"),
        ("deflate", b"\xff" * 50, "cannot be decompressed as deflate"),
        ("gzip", b"", "cannot be decompressed as gzip"),
        ("gzip", gzip.compress(bytes(64 << 20)), "longer than 1 MiB"),
        ("br", b"x", "compressed (br)"),
        ("gzip, gzip", gzip.compress(gzip.compress(DETAILS)), "compressed"),
    ],
    ids=["no gzip", "cut", "no deflate", "empty", "bomb", "brotli", "twice"],
)
async def test_damaged_compression_is_a_bad_answer(
    gem: ScriptedGem, api: GemApi, coding: str, body: bytes, reason: str
) -> None:
    gem.answers(7, Answer(body=body, headers={"Content-Encoding": coding}))
    seen = failed(await api.ask(7, TOKEN))
    assert seen.bad
    assert reason in seen.reason


@pytest.mark.parametrize(("coding", "bomb"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_zip_bomb_is_decompressed_up_to_the_limit(coding: str, bomb: Callable[[bytes], bytes]) -> None:
    packed, body = bomb(bytes(256 << 20)), body_of({"Content-Encoding": coding}, 1 << 20)
    with pytest.raises(NoAnswerError, match="longer than 1 MiB"):
        body.add(packed)
    assert len(body.read) == (1 << 20) + 1


async def test_body_at_the_limit_is_read_and_one_byte_more_is_not(gem: ScriptedGem, api: GemApi) -> None:
    details = json.dumps(document(7, "SUCCESS")).encode()
    gem.answers(7, Answer(body=details.ljust(1 << 20)), Answer(body=details.ljust((1 << 20) + 1)))
    assert isinstance(await api.ask(7, TOKEN), Seen)
    seen = failed(await api.ask(7, TOKEN))
    assert seen.bad
    assert "1 MiB" in seen.reason


async def test_list_at_the_limit_is_read_and_one_byte_more_is_not(gem: ScriptedGem, api: GemApi) -> None:
    text = json.dumps({"jobs": [document(7, "SUCCESS")]}).encode()
    gem.lists = Answer(body=text.ljust(64 << 20))
    assert isinstance(await api.list_jobs("ROAD_MATCHING", TOKEN), Listing)
    gem.lists = Answer(body=text.ljust((64 << 20) + 1))
    seen = failed(await api.list_jobs("ROAD_MATCHING", TOKEN))
    assert seen.bad
    assert "64 MiB" in seen.reason


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_endless_body_ends_at_the_limit(gem: ScriptedGem, api: GemApi, head: bytes) -> None:
    gem.answers(7, endless(head, b"4000\r\n" + b" " * 0x4000 + b"\r\n"))
    seen = failed(await api.ask(7, TOKEN))
    assert seen.bad
    assert "1 MiB" in seen.reason


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(gem: ScriptedGem, api: GemApi, status: int) -> None:
    with ScriptedGem() as other:
        other.answers(7, "SUCCESS")
        gem.answers(
            7, Answer(status=status, headers={"Location": f"http://user:pw@127.0.0.1:{other.port}/jobs/7?t=1"})
        )
        seen = failed(await api.ask(7, TOKEN))
        assert other.requests == []
    assert seen.bad
    assert seen.reason.startswith(f"HTTP {status} ")
    assert seen.reason.endswith("a redirect to 127.0.0.1, is not followed")


@pytest.mark.parametrize(
    "location", ["", "/jobs/7", "http://[broken", "http://\x01/", "https://" + "a" * 5000, "//\xff"]
)
async def test_redirect_to_an_invalid_url_names_no_host(gem: ScriptedGem, api: GemApi, location: str) -> None:
    gem.answers(7, raw(f"HTTP/1.1 302 F\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()))
    seen = failed(await api.ask(7, TOKEN))
    assert seen.bad
    assert "to" not in seen.reason.split()


# Cookies


async def test_cookies_are_never_kept(gem: ScriptedGem, api: GemApi) -> None:
    body = json.dumps(document(7, "IN_PROGRESS")).encode()
    gem.answers(7, Answer(body=body, headers={"Set-Cookie": "session=1; Path=/"}))
    for _ in range(2):
        assert isinstance(await api.ask(7, TOKEN), Seen)
    assert not any("cookie" in r.headers for r in gem.requests)
