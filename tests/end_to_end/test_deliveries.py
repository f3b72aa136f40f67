"""`gemwatch deliveries` and `test-notify`, as people use them."""

from support.daemon import Installation
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.waiting import wait_until


def test_deliveries_are_filtered_and_shown_as_sent(
    installation: Installation, gem: ScriptedGem, inbox: Inbox
) -> None:
    gem.answers(7, "SUCCESS")
    gem.answers(8, "FAILED")
    installation.configure(
        watch=[7, 8], notify={"team": inbox.target_url("team"), "other": inbox.target_url("other")}
    )
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 4, "both messages at both targets")
        wait_until(lambda: len(installation.records.deliveries("sent")) == 4, "the deliveries to be settled")
        assert daemon.stop() == 0
    [row] = installation.json("deliveries", "--job", "7", "--target", "team", "--since", "1h", "--state", "sent")
    assert (row["job_id"], row["target"], row["kind"]) == (7, "team", "success")
    assert len(installation.json("deliveries", "--limit", "3")) == 3
    assert installation.json("deliveries", "--target", "nobody") == []
    [sent] = [message for message in inbox.messages if message.path == "/team" and "SUCCESS" in message.title]
    [shown] = installation.json("deliveries", "show", str(row["id"]))
    assert (shown["title"], shown["body"], shown["format"]) == (sent.title, sent.body, "text")
    assert len(installation.json("deliveries", "show", row["event"])) == 2
    plain = installation.run("deliveries", "show", row["event"])
    assert sent.body in plain.stdout
    missing = installation.run("deliveries", "show", "gw-99")
    assert (missing.returncode, missing.stderr) == (1, "gemwatch: there is no event gw-99\n")


def test_bad_delivery_id_gets_one_sentence(installation: Installation) -> None:
    for word in ("x", "gw-", "gw-x", "-1", "0", "9" * 20, "1.5"):
        for command in ("show", "retry"):
            done = installation.run("deliveries", command, "--", word)
            assert done.returncode == 2
            assert "is not the number of a delivery" in " ".join(done.stderr.replace("\u2502", " ").split())


def test_a_sample_of_every_kind_arrives(installation: Installation, inbox: Inbox) -> None:
    installation.configure()
    done = installation.run("test-notify", "--kind", "failed")
    assert (done.returncode, done.stdout) == (0, "team: arrived\n")
    assert inbox.titles() == ["TEST: FAILED: a test of gemwatch (job 123456789)"]
    assert installation.run("test-notify", "--kind", "nonsense").returncode == 2
