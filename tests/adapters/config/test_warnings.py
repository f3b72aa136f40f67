"""Placeholders and weak tokens are refused; unwise values give a warning."""

from pathlib import Path

import pytest

from gemwatch.adapters.config.file import LoadedFile, load
from gemwatch.core.settings import Severity

STORE = "postgresql+psycopg://"
LITERAL = "is a secret in a file that every user of this machine can read"


def read(folder: Path, text: str, mode: int = 0o600, **environ: str) -> LoadedFile:
    main = folder / "config.yaml"
    main.write_text(text)
    main.chmod(mode)
    return load(main, environ, url_problem=lambda _: None)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("api: {key: replace-me}\n", "1:12: api.key"),
        ("api: {key: '${KEY}'}\n", "1:12: api.key"),
        ("api: {key: k, token: {value: Replace-Me-by-a-token}}\n", "1:30: api.token.value"),
        ("api: {key: k}\nnotify: {a: 'slack://TokenA/TokenB/TokenC/#channel'}\n", "2:13: notify.a.url"),
        ("api: {key: k}\nnotify: {a: {url: 'slack://tokena/tokenb/tokenc'}}\n", "2:19: notify.a.url"),
        ("api: {key: k}\nweb: {token: replace-me-by-openssl-rand-hex-24}\n", "2:14: web.token"),
        ("api: {key: k}\nheartbeat: {url: 'https://hc-ping.com/replace-me'}\n", "2:18: heartbeat.url"),
    ],
)
def test_placeholder_of_the_examples_is_refused(tmp_path: Path, text: str, place: str) -> None:
    loaded = read(tmp_path, text, KEY="replace-me")
    what = "is a placeholder from the examples; put your own value there"
    assert [str(one).removeprefix(f"{tmp_path}/config.yaml:") for one in loaded.problems] == [f"{place}: {what}"]
    assert loaded.settings is None


@pytest.mark.parametrize(
    "token",
    [
        *("aaaaaaaaaaaaaaaa", "1234567890123456", "0123456789abcdef", "abcabcabcabcabcabc", "gemwatch-web-token"),
        *("passwordpassword", "fedcba9876543210", "changemechangeme", "admin-admin-admin"),
    ],
)
def test_web_token_that_is_easy_to_guess_is_refused(tmp_path: Path, token: str) -> None:
    loaded = read(tmp_path, f"api: {{key: k}}\nweb: {{token: '{token}'}}\n")
    assert [one.what for one in loaded.problems] == ["is easy to guess; make one with: openssl rand -hex 24"]


@pytest.mark.parametrize(
    "token",
    ["5f0c1d7be2a94c3388d0f6b1a7e95c42d3b8f0a1", "sixteen-letters.", "Xk9_vQ2-pL7mZr4T", "correct-horse-battery"],
)
def test_web_token_that_is_hard_to_guess_is_accepted(tmp_path: Path, token: str) -> None:
    loaded = read(tmp_path, f"api: {{key: k}}\nweb: {{token: '{token}'}}\n")
    assert loaded.problems == ()


@pytest.mark.parametrize(
    ("base_url", "warned"),
    [
        ("https://gem.example.com", False),
        ("http://localhost:8080", False),
        ("http://127.0.0.1", False),
        ("http://[::1]:80/x", False),
        ("http://gem.example.com", True),
        ("http://192.0.2.1", True),
    ],
)
def test_unencrypted_base_url_gives_a_warning(tmp_path: Path, base_url: str, *, warned: bool) -> None:
    loaded = read(tmp_path, f"api: {{key: k, base_url: '{base_url}'}}\n")
    assert loaded.problems == ()
    assert loaded.settings is not None
    expected = "1:25: warning: api.base_url: sends key and token unencrypted; write https://HOST/PATH"
    assert [str(one) for one in loaded.warnings] == ([f"{tmp_path}/config.yaml:{expected}"] if warned else [])


SECRETS = (
    "api: {key: my-key, token: {value: my-token}}\n"
    "notify: {a: 'json://my-host', b: {url: 'json://my-other-host'}, c: '${C}'}\n"
    "heartbeat: {url: 'https://example.com/my-switch'}\nweb: {token: 5f0c1d7be2a94c3388d0f6b1}\n"
)


def test_literal_secret_in_a_readable_file_gives_a_warning(tmp_path: Path) -> None:
    loaded = read(tmp_path, SECRETS, 0o644, C="json://localhost")
    places = ["api.key", "api.token.value", "heartbeat.url", "web.token", "notify.a", "notify.b.url"]
    assert [one.where for one in loaded.warnings] == places
    assert all(LITERAL in one.what and one.severity is Severity.WARNING for one in loaded.warnings)
    assert "my-" not in str([one.what for one in loaded.warnings])


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_literal_secret_in_a_private_file_is_fine(tmp_path: Path, mode: int) -> None:
    assert read(tmp_path, SECRETS, mode, C="json://localhost").warnings == ()


def test_references_in_a_readable_file_are_fine(tmp_path: Path) -> None:
    assert read(tmp_path, "api: {key: '${KEY}'}\n", 0o644, KEY="my-key").warnings == ()


@pytest.mark.parametrize(
    ("keys", "warned"),
    [("", True), (", max_rate: 10", False), (", max_rate: 0", False), ("}\npoll: {every: 2m", False)],
)
def test_more_watches_than_the_rate_allows_give_a_warning(tmp_path: Path, keys: str, *, warned: bool) -> None:
    watches = "".join(f"  - {number}\n" for number in range(1, 302))
    loaded = read(tmp_path, f"api: {{key: k{keys}}}\nwatch:\n{watches}")
    assert bool(loaded.warnings) is warned
    for one in loaded.warnings:
        assert one.what.startswith("301 watches need 5.02 requests per second while none has ended, and api.max_rate")


@pytest.mark.parametrize(
    "name", ["job_feature%2Fx", "what?", "a b", "a%20b", "#1", "ü", "x?mode=ro&y", "[x]*", "$HOME"]
)
def test_store_is_in_the_folder_whatever_its_name_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    loaded = read(tmp_path / name, "api: {key: k}\nstore: {url: 'sqlite:///data/x%2F.db'}\n")
    assert loaded.settings is not None
    assert loaded.settings.store.place == tmp_path / name / "data/x%2F.db"


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("db.example.com/d", True),
        ("db.example.com/d?sslmode=require", True),
        ("db.example.com/d?sslmode=verify-full", False),
        ("localhost/d", False),
        ("127.0.0.1:5432/d", False),
        ("[::1]/d", False),
        ("/d?host=/run/postgresql", False),
        ("localhost/d?host=db.example.com", True),
    ],
)
def test_postgresql_without_verify_full_gives_a_warning(tmp_path: Path, url: str, *, warned: bool) -> None:
    loaded = read(tmp_path, f"api: {{key: k}}\nstore: {{url: '{STORE}{url}'}}\n")
    assert [one.what.endswith("add ?sslmode=verify-full") for one in loaded.warnings] == [True] * warned


def test_store_password_in_a_readable_file_gives_a_warning(tmp_path: Path) -> None:
    text = "api: {key: '${KEY}'}\nstore: {url: '" + STORE + "me:%s@localhost/d'}\n"
    assert [one.where for one in read(tmp_path, text % "a-word", 0o644, KEY="k").warnings] == ["store.url"]
    assert read(tmp_path, text.replace(":%s", ""), 0o644, KEY="k").warnings == ()
