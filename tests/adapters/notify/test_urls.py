"""What is said about an Apprise URL: enough to mend it, and nothing that is in it."""

import pytest

from gemwatch.adapters.notify.targets import url_advice, url_problem

WEBHOOK = "slack://TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC"
GOOD = [
    WEBHOOK,
    f"{WEBHOOK}/#jobs",
    "https://hooks.slack.com/services/TSECRETAA/BSECRETBB/sEcReTcCcCcCcCcCcCcC",
    "mailto://gemwatch:s3cret@example.com?to=data@example.com",
    "mailtos://mail.example.com:587?from=gemwatch@example.com&to=data@example.com",
    "tgram://123456789:abcdefghijklmnopqrstuvwxyz/42",
    "json://localhost:8080/hook?optional=no&retry=0",
    "syslog://",
]


@pytest.mark.parametrize("url", GOOD)
def test_a_url_of_one_recipient_is_neither_refused_nor_advised_upon(url: str) -> None:
    assert url_problem(url) is None
    assert url_advice(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "it begins with no service that Apprise knows, such as slack:// or mailto://"),
        ("TSECRETAA/BSECRETBB", "it begins with no service that Apprise knows, such as slack:// or mailto://"),
        ("s3cret://s3cret", "it begins with no service that Apprise knows, such as slack:// or mailto://"),
        ("slack:/TSECRETAA/BSECRETBB", "it begins with no service that Apprise knows, such as slack:// or mailto://"),
        (
            "slack://TSECRETAA/BSECRETBB/bad-s3cret!",
            "it is not a slack:// URL in a form that Apprise reads; see https://appriseit.com/services/slack/",
        ),
        (
            "tgram://s3cret",
            "it is not a tgram:// URL in a form that Apprise reads; see https://appriseit.com/services/telegram/",
        ),
        ("json://s3cret.example.com, json://other.example.com", "it holds several URLs; make a target of each"),
        (
            "mailto://gemwatch:s3cret@example.com?to=nobody",
            "one of its recipients is none that the service knows how to reach",
        ),
        ("json://s3cret?optional=yes", "the option optional= reports a failure as a success: take it out"),
        ("json://s3cret?OPTIONAL=Yes", "the option optional= reports a failure as a success: take it out"),
        ("json://s3cret?%6fptional=1", "the option optional= reports a failure as a success: take it out"),
        (
            "json://s3cret?retry=3",
            "the option retry= repeats by itself; gemwatch repeats what failed: take it out",
        ),
        (
            f"{WEBHOOK}?wait=2",
            "the option wait= repeats by itself; gemwatch repeats what failed: take it out",
        ),
        (
            "json://s3cret?redirect=yes",
            (
                "the option redirect= follows a redirect, after which nobody can tell whether the message arrived: "
                "take it out"
            ),
        ),
        (
            f"{WEBHOOK}?template=/s3cret/file",
            "the option template= reads a file for every message: take it out",
        ),
        (
            "ntfy://topic?attach=/s3cret/file",
            "the option attach= reads a file for every message: take it out",
        ),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_any_part_of_it(url: str, problem: str) -> None:
    assert url_problem(url) == problem
    assert not [secret for secret in ("s3cret", "SECRET", "sEcReT") if secret in problem]


@pytest.mark.parametrize(
    ("url", "number"),
    [
        (f"{WEBHOOK}/#a/#b", 2),
        ("tgram://123456789:abcdefghijklmnopqrstuvwxyz/1/2/3", 3),
        ("mailto://gemwatch:s3cret@example.com?to=a@example.com,b@example.com", 2),
        ("mailto://gemwatch:s3cret@example.com?to=a@example.com&cc=b@example.com&bcc=c@example.com", 3),
    ],
)
def test_a_url_of_several_recipients_is_advised_upon(url: str, number: int) -> None:
    assert url_problem(url) is None
    assert url_advice(url) == (
        f"it holds {number} recipients or channels. One URL should be one of them: when one fails, "
        "the others get the message again"
    )
