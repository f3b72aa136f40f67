"""The way of a new user: a first configuration, first messages by mail and in a chat, a failed job understood."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from support.daemon import GEMWATCH, Installation, environment
from support.gem import KEY, TOKEN, ScriptedGem, document
from support.inbox import Inbox
from support.mail import MailServer
from support.sending import Service, serving
from support.terminal import Terminal, plain
from support.waiting import wait_until

REASON = "Validation failed: column 'geometry' is missing in row 7, so no road of the file can be matched"


def on_terminal(folder: Path, environ: Mapping[str, str], *words: str) -> str:
    """What a command shows on a terminal of 80 columns, in the folder."""
    command = ["env", "-C", str(folder), *GEMWATCH, *words]
    with Terminal(command, {**environment(NO_COLOR="1"), **environ}) as terminal:
        assert terminal.end() == 0, terminal.output
    return plain(terminal.output)


@pytest.fixture
def installed(tmp_path: Path, gem: ScriptedGem, inbox: Inbox) -> Installation:
    return Installation(tmp_path, gem, inbox)


def test_new_user_gets_messages_and_understands_a_failure(installed: Installation, gem: ScriptedGem) -> None:
    with MailServer() as mail, serving(Service()) as chat:
        secrets = {
            "TOMTOM_API_KEY": KEY,
            "TEAM_CHAT_URL": f"mmost://127.0.0.1:{chat.port}/3ccdd113474722377935511fc85d3dd4",
            "DATA_MAIL_URL": f"mailto://127.0.0.1:{mail.port}?from=gemwatch@example.com&to=data@example.com",
        }
        shown = on_terminal(
            installed.folder, secrets, "init", "--target=team-chat", "--target=data-mail", "--watch=7"
        )
        assert re.findall(r"read -rs (\w+)", shown) == list(secrets)
        simulate(installed, gem)
        assert "config.yaml: OK (1 watch, 2 targets)" in on_terminal(installed.folder, secrets, "check", "--online")
        shown = on_terminal(installed.folder, secrets, "test-notify")
        assert shown == "team-chat: arrived\ndata-mail: arrived\n"
        assert b"Subject: TEST: SUCCESS: a test of gemwatch" in mail.letters[0].content
        with installed.daemon(**secrets) as daemon:
            wait_until(lambda: gem.asked(7) >= 3, "polls while it runs")
            gem.answers(7, document(7, "FAILED", message=REASON))
            wait_until(lambda: len(mail.letters) == 2 and len(chat.posts) == 2, "both messages")
            assert daemon.stop() == 0
        understood(installed.folder, secrets)


def simulate(installed: Installation, gem: ScriptedGem) -> None:
    """Point the configuration at the scripted API, and serve the page at a free port."""
    gem.answers(7, "IN_PROGRESS")
    document = yaml.safe_load(installed.config.read_text())
    document["api"] |= {"base_url": gem.url, "token": {"value": TOKEN}, "max_rate": 0}
    document |= {"poll": {"every": "1s"}, "web": {"listen": f"127.0.0.1:{installed.port}"}}
    installed.config.write_text(yaml.safe_dump(document, sort_keys=False))
    assert installed.config.stat().st_mode & 0o777 == 0o600


def understood(folder: Path, secrets: Mapping[str, str]) -> None:
    """On a narrow terminal a user finds the failed job, GEM's whole reason, and the message about it."""
    status = on_terminal(folder, secrets, "status")
    assert re.search(r"^ +7  FAILED .* GEM: Validation failed: .*…$", status, re.MULTILINE)
    assert "gemwatch status JOB_ID" in status
    one = on_terminal(folder, secrets, "status", "7")
    assert f"GEM: {REASON}" in " ".join(one.split())
    assert re.search(r"^ *7 +IN_PROGRESS +FAILED ", on_terminal(folder, secrets, "history", "7"), re.MULTILINE)
    (event,) = set(re.findall(r"gw-\d+", on_terminal(folder, secrets, "deliveries", "--job", "7")))
    message = on_terminal(folder, secrets, "deliveries", "show", event)
    assert message.count(f"GEM: {REASON}") == 1
    assert message.count(f"**GEM:** `{REASON}`") == 1
    assert message.count("Fix what GEM names, then request the job again.") == 2
    assert all(len(line) <= 80 for shown in (status, one) for line in shown.splitlines())
