"""Real sends over real connections: the received messages, and the threads of targets."""

import asyncio
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from gemwatch.core.events import Target
from gemwatch.core.text.rendering import Rendered
from gemwatch.core.traits import Tone
from gemwatch.core.work import AttemptFailure, NotSent, Sent
from support.inbox import Inbox
from support.sending import HELLO, SLACK, Build, Service, reason, serving
from support.waiting import until

REMOVED = NotSent(reason="the target was removed from the configuration", failure=AttemptFailure.REMOVED)


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with Inbox() as server:
        server.hold = threading.Event()
        server.hold.set()
        yield server
        server.hold.set()


async def test_message_arrives(build: Build, inbox: Inbox) -> None:
    assert await build(team=inbox.target_url()).send("team", HELLO) == Sent()
    assert [(m.title, m.body) for m in inbox.messages] == [(HELLO.title, HELLO.body)]


async def test_unencodable_character_becomes_a_question_mark(build: Build, inbox: Inbox) -> None:
    message = Rendered(title="\ud800", body="half a \udfff pair")
    assert await build(team=inbox.target_url()).send("team", message) == Sent()
    assert [(m.title, m.body) for m in inbox.messages] == [("?", "half a ? pair")]


async def test_escapes_and_templates_arrive_unchanged(build: Build, inbox: Inbox) -> None:
    body = r"100 % %s %(x)s {{app_body}} {0} \n \x41 :smile:"
    assert await build(team=inbox.target_url() + "?emojis=yes").send("team", Rendered(title="t", body=body)) == Sent()
    assert inbox.messages[0].body == body


async def test_timeout_is_unknown_and_does_not_block_the_next(build: Build, inbox: Inbox) -> None:
    assert inbox.hold is not None
    targets = build(team=inbox.target_url())
    inbox.hold.clear()
    outcome = await targets.send("team", HELLO, limit=0.05)
    assert outcome == NotSent(reason="no answer within 0.05 s; it may have arrived", unknown=True)
    inbox.hold.set()
    assert await targets.send("team", Rendered(title="second", body="b")) == Sent()
    await until(lambda: sorted(inbox.titles()) == ["SUCCESS: job 7", "second"], "both messages")


async def test_number_of_hanging_sends_is_limited(build: Build, inbox: Inbox) -> None:
    assert inbox.hold is not None
    targets = build(team=inbox.target_url())
    inbox.hold.clear()
    for _ in range(4):
        assert isinstance(await targets.send("team", HELLO, limit=0.01), NotSent)
    assert await targets.send("team", HELLO) == NotSent(reason="4 earlier messages still wait for an answer")
    inbox.hold.set()
    await until(lambda: len(inbox.messages) == 4, "the hanging sends")
    await until(lambda: not hanging_threads(), "their threads")
    assert await targets.send("team", HELLO) == Sent()


def hanging_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "target team"]


async def test_slow_target_delays_no_other(build: Build, inbox: Inbox) -> None:
    assert inbox.hold is not None
    with Inbox() as quick:
        targets = build(slow=inbox.target_url(), quick=quick.target_url())
        inbox.hold.clear()
        slow = asyncio.create_task(targets.send("slow", HELLO))
        assert await targets.send("quick", HELLO) == Sent()
        assert not slow.done()
        inbox.hold.set()
        assert await slow == Sent()


async def test_target_still_sends_after_a_cancelled_send(build: Build, inbox: Inbox) -> None:
    assert inbox.hold is not None
    targets = build(team=inbox.target_url())
    inbox.hold.clear()
    sending = asyncio.create_task(targets.send("team", HELLO))
    await until(hanging_threads, "the send")
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    inbox.hold.set()
    assert await targets.send("team", HELLO) == Sent()


async def test_unchanged_targets_keep_their_thread_on_reload(build: Build, inbox: Inbox) -> None:
    old = build(team=inbox.target_url("team"), gone=inbox.target_url("gone"), moved=inbox.target_url("before"))
    assert await old.send("team", HELLO) == Sent()
    thread = hanging_threads()
    new = old.replaced(
        [Target(name="team", url=inbox.target_url("team")), Target(name="moved", url=inbox.target_url("after"))]
    )
    old.close()
    assert new.names == ("team", "moved")
    assert await new.send("team", HELLO) == Sent()
    assert hanging_threads() == thread
    assert await new.send("moved", HELLO) == Sent()
    assert inbox.titles("after") == [HELLO.title]
    assert inbox.titles("before") == []
    assert await old.send("team", HELLO) == Sent()  # a message that was composed when the configuration changed
    assert await old.send("gone", HELLO) == REMOVED
    assert await new.send("gone", HELLO) == NotSent(
        reason="the configuration has no target of this name", failure=AttemptFailure.REMOVED
    )
    new.close()
    new.close()
    await until(lambda: not hanging_threads(), "the thread's end")


async def test_bad_url_on_reload_leaves_running_targets_alone(build: Build, inbox: Inbox) -> None:
    targets = build(team=inbox.target_url())
    with pytest.raises(ValueError, match=r"^target chat: it is not a slack:// URL in a form that Apprise reads"):
        targets.replaced([Target(name="team", url=inbox.target_url()), Target(name="chat", url="slack://nonsense")])
    assert await targets.send("team", HELLO) == Sent()
    targets.close()
    assert await targets.send("team", HELLO) == REMOVED


def test_room_is_the_limit_of_the_service(build: Build) -> None:
    targets = build(
        slack=SLACK,
        mail="mailto://mail.example.com?from=a@example.com&to=b@example.com",
        discord="discord://1234567890/abcdefghijklmnop",
        telegram="tgram://123456789:abcdefghijklmnopqrstuvwxyz/42",
        sms="bulksms://user:password@+12015550123",
    )
    limits = {name: targets.room(name).most for name in targets.names}
    assert limits == {"slack": 35000, "mail": 32768, "discord": 2000, "telegram": 4096, "sms": 20}


async def test_failures_have_a_high_priority_unless_the_url_names_one(build: Build) -> None:
    with serving(Service(body=b"{}")) as service:
        for topic in ("one", "two?priority=low"):
            for tone in (Tone.BAD, Tone.GOOD):
                phone = build(phone=f"ntfy://127.0.0.1:{service.port}/{topic}")  # a new one waits for no earlier send
                assert await phone.send("phone", Rendered(title="t", body="b", tone=tone)) == Sent()
    assert [headers.get("X-Priority") for _, headers, _ in service.posts] == ["high", None, "low", "low"]


async def test_apprise_log_lines_are_not_printed(
    build: Build, slack: Service, inbox: Inbox, capfd: pytest.CaptureFixture[str]
) -> None:
    records: list[logging.LogRecord] = []

    class Capture(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    root, capture, level = logging.getLogger(), Capture(), logging.getLogger().level
    root.addHandler(capture)
    root.setLevel(logging.DEBUG)
    try:
        targets = build(chat=SLACK, hook=inbox.target_url("hook-sEcReT"))
        slack.status = 404
        assert isinstance(await targets.send("chat", HELLO), NotSent)
        assert await targets.send("hook", HELLO) == Sent()
    finally:
        root.setLevel(level)
        root.removeHandler(capture)
    assert [record.getMessage() for record in records if record.name != "asyncio"] == []
    assert capfd.readouterr() == ("", "")


async def test_reason_survives_disabled_apprise_logging(build: Build, slack: Service) -> None:
    targets = build(chat=SLACK)
    slack.status, slack.body = 404, b"no_service"
    logging.getLogger("apprise").disabled = True
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    assert reason(await targets.send("chat", HELLO)).startswith("Slack answered 404 Not Found: no_service")


async def test_tone_sets_the_colour(build: Build, slack: Service) -> None:
    targets = build(red=SLACK, blue=SLACK.replace("TSECRET", "TSECREU"))
    assert await targets.send("red", Rendered(title="t", body="b", tone=Tone.BAD)) == Sent()
    assert await targets.send("blue", Rendered(title="t", body="b")) == Sent()
    colours = [json.loads(post)["attachments"][0]["color"] for _, _, post in slack.posts]
    assert colours == ["#A32037", "#3AA3E3"]
