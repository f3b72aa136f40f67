"""Masking the secrets that this process knows."""

import pytest

from gemwatch.core.secrets import Secrets


@pytest.mark.parametrize(
    ("url", "text", "masked"),
    [
        ("slack://T0AAAAAA/B0BBBBBB/c0ffee0c0ffee/#ops", "POST /services/T0AAAAAA/B0BBBBBB/c0ffee0c0ffee", "c0ffee"),
        ("mailtos://user:pass%40word@smtp.example.com?to=a@example.com", "login with pass@word", "pass@word"),
        ("json://me:sesame-open@host.example.com/hook-1234", "host.example.com said no to /hook-1234", "hook-1234"),
        ("tgram://123456:ABCdefGHI/987654321", "bot123456:ABCdefGHI/sendMessage", "ABCdefGHI"),
    ],
)
def test_possible_tokens_in_target_urls_are_masked(url: str, text: str, masked: str) -> None:
    secrets = Secrets()
    secrets.add_url(url)
    assert masked not in secrets.mask(text)
    assert url not in secrets.mask(f"could not send to {url} at all")


def test_host_stays_readable() -> None:
    secrets = Secrets()
    secrets.add_url("mailtos://user:password1@smtp.example.com:587?to=a@example.com")
    assert secrets.mask("connection refused by smtp.example.com:587") == "connection refused by smtp.example.com:587"


def test_target_names_and_own_words_stay_readable() -> None:
    secrets = Secrets()
    secrets.publish("data-mail")
    secrets.add_url("json://127.0.0.1:1/notify/data-mail")
    secrets.add_url("ntfys://ntfy.example.com/success")
    assert secrets.mask("target=data-mail kind=success") == "target=data-mail kind=success"


def test_keys_and_tokens_are_masked_everywhere() -> None:
    secrets = Secrets()
    secrets.add("key-0123456", None, "token.with+signs")
    assert secrets.mask("a=key-0123456&b=token.with+signs!") == "a=***&b=***!"


def test_remembered_tokens_are_bounded() -> None:
    secrets = Secrets()
    for number in range(3000):
        secrets.add(f"token-{number:06}")
    assert secrets.mask("token-002999") == "***"
    assert secrets.mask("token-000000") == "token-000000"
