"""The problems of an Apprise URL: enough to fix it, without a part of the URL."""

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
def test_good_url_has_neither_problem_nor_advice(url: str) -> None:
    assert url_problem(url) is None
    assert url_advice(url) is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "it does not begin with a service that Apprise knows, such as slack:// or mailto://"),
        ("TSECRETAA/BSECRETBB", "it does not begin with a service that Apprise knows, such as slack:// or mailto://"),
        ("s3cret://s3cret", "it does not begin with a service that Apprise knows, such as slack:// or mailto://"),
        (
            "slack:/TSECRETAA/BSECRETBB",
            "it does not begin with a service that Apprise knows, such as slack:// or mailto://",
        ),
        (
            "slack://TSECRETAA/BSECRETBB/bad-s3cret!",
            "it is not a slack:// URL in a form that Apprise reads; see https://appriseit.com/services/slack/",
        ),
        (
            "tgram://s3cret",
            "it is not a tgram:// URL in a form that Apprise reads; see https://appriseit.com/services/telegram/",
        ),
        (
            "json://s3cret.example.com, json://other.example.com",
            "it contains several URLs; write one target for each",
        ),
        (
            "mailto://gemwatch:s3cret@example.com?to=nobody",
            "one of its recipients is not in a form that the service can reach",
        ),
        (
            "msteams://s3cret/s3cret/s3cret/s3cret",
            (
                "Office 365 connectors are retired. Make a workflow in Teams and use its workflows:// URL, "
                "see docs/targets.md"
            ),
        ),
        ("json://s3cret?optional=yes", "the option optional= reports a failure as a success; remove it"),
        ("json://s3cret?OPTIONAL=Yes", "the option optional= reports a failure as a success; remove it"),
        ("json://s3cret?%6fptional=1", "the option optional= reports a failure as a success; remove it"),
        (
            "json://s3cret?retry=3",
            "the option retry= makes Apprise retry; gemwatch already does; remove it",
        ),
        (
            f"{WEBHOOK}?wait=2",
            "the option wait= makes Apprise retry; gemwatch already does; remove it",
        ),
        (
            "json://s3cret?redirect=yes",
            (
                "the option redirect= follows a redirect, after which it is unknown whether the message arrived; "
                "remove it"
            ),
        ),
        (
            f"{WEBHOOK}?template=/s3cret/file",
            "the option template= reads a file for every message; remove it",
        ),
        (
            "ntfy://topic?attach=/s3cret/file",
            "the option attach= reads a file for every message; remove it",
        ),
    ],
)
def test_bad_url_is_refused_without_quoting_it(url: str, problem: str) -> None:
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
def test_several_recipients_in_one_url_are_advised_against(url: str, number: int) -> None:
    assert url_problem(url) is None
    assert url_advice(url) == (
        f"it has {number} recipients or channels. Give each one a target of its own: when one fails, the others "
        "receive the message again"
    )
