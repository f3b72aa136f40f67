"""A token and its expiry, in every known form and in invalid ones."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from gemwatch.adapters.login.token_text import Given, read_token
from support.clock import START
from support.tokens import az_json, jwt

LATER = START + timedelta(hours=1)


@pytest.mark.parametrize(
    ("text", "value", "expires_at"),
    [
        (az_json("tok", LATER), "tok", LATER),
        (json.dumps({"accessToken": "tok", "expires_on": str(int(LATER.timestamp()))}), "tok", LATER),
        (json.dumps({"accessToken": "tok", "expiresOn": "2026-03-01T15:00:00+02:00"}), "tok", LATER),
        (json.dumps({"accessToken": "tok", "expires_on": None, "expiresOn": "2026-03-01 13:00:00Z"}), "tok", LATER),
        (json.dumps({"accessToken": "tok", "expires_on": "soon", "expiresOn": 5}), "tok", None),
        (json.dumps({"accessToken": "tok", "expires_on": 1e300}), "tok", None),
        (json.dumps({"accessToken": "tok", "expires_on": True}), "tok", None),
        (json.dumps({"accessToken": jwt(exp=LATER.timestamp())}), jwt(exp=LATER.timestamp()), LATER),
        (json.dumps({"access_token": "tok", "expires_in": 3600}), "tok", LATER),
        (json.dumps({"access_token": "tok", "expires_in": "3600"}), "tok", LATER),
        ('\n {"accessToken": "tok"}\n', "tok", None),
        ('"tok"\n', "tok", None),
        ("tok\n", "tok", None),
        (jwt(exp=LATER.timestamp()) + "\r\n", jwt(exp=LATER.timestamp()), LATER),
    ],
)
def test_token_and_expiry_are_read_in_every_known_form(text: str, value: str, expires_at: datetime | None) -> None:
    given = read_token(text, START)
    assert (given.value, given.expires_at) == (value, expires_at)


@pytest.mark.parametrize(
    "text",
    [
        "WARNING: The default interactive login is changing.\n" + az_json("tok", LATER),
        "\ufeff" + az_json("tok", LATER),
        "\x1b[32m" + az_json("tok", LATER) + "\x1b[0m\n",
        "This command is in preview.\n" + json.dumps(json.loads(az_json("tok", LATER)), indent=2),
        az_json("tok", LATER) + "\nWARNING: A new version is available",
        "WARNING: x\ntok\n",
        "\x1b[1mtok\x1b[0m",
    ],
)
def test_output_around_a_token_is_ignored(text: str) -> None:
    assert read_token(text, START).value == "tok"


@pytest.mark.parametrize("word", ["None", "null", "undefined", '"None"', '{"accessToken": "null"}'])
def test_null_words_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="not a token"):
        read_token(word, START)


@pytest.mark.parametrize(
    ("claims", "application"),
    [({"idtyp": "app"}, True), ({"idtyp": "app", "scp": "x"}, False), ({"idtyp": "user"}, False), ({}, False)],
)
def test_token_of_an_application_is_recognised(claims: dict[str, str], application: bool) -> None:  # noqa: FBT001
    given = read_token(jwt(tid="my-tenant", **claims), START)
    assert (given.application, given.tenant) == (application, "my-tenant")


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


def test_local_time_of_older_az_is_read(berlin: None) -> None:
    winter = json.dumps({"accessToken": "tok", "expiresOn": "2026-03-01 14:00:00.000000"})
    assert read_token(winter, START).expires_at == LATER


@pytest.mark.parametrize(
    "odd",
    [
        "a.b.c",
        "..",
        "a.!!!.c",
        "é.é.é",
        jwt(),
        jwt(exp=None),
        jwt(exp="never"),
        jwt(exp=1e400),
        jwt(exp=[1]),
        f"a.{base64.b64encode(b'[1]').decode()}.c",
        f"a.{base64.b64encode(b'[' * 9999).decode()}.c",
        "a._w.c",
        "a.b.c.d.e",
    ],
)
def test_odd_jwt_is_a_token_without_an_expiry(odd: str) -> None:
    assert read_token(odd, START) == Given(value=odd)


@pytest.mark.parametrize(
    "text", ["", " \n", "please log in", "tok\ntok2", "{", "[]", "{}", '""', '{"accessToken": 5}', "[" * 100_000]
)
def test_invalid_token_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(nothing|it|its) ") as caught:
        read_token(text, START)
    assert "log in" not in str(caught.value)
