"""What the store's history knows, by the program as it is installed: estimates, limits and the gate."""

import re

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.schema import upgrade
from support.daemon import Installation
from support.gem import STATISTICS, ScriptedGem, document
from support.inbox import Inbox
from support.past import HOUR, past
from support.past_store import fill
from support.waiting import wait_until


def seed(installation: Installation) -> None:
    """Five earlier successes on the input that the scripted jobs have."""
    place = installation.folder / "gemwatch.db"
    upgrade(place)
    engine = open_to_write(place)
    lengths = [HOUR * part for part in (0.9, 1.0, 1.1, 1.0, 1.05)]
    fill(engine, past(*lengths, matched=0.861, roads=401_002, kilometres=80_900.0, confidence_threshold=60))
    engine.dispose()


def everything(inbox: Inbox) -> dict[str, object]:
    return {"team": {"url": inbox.target_url("team"), "on": "all"}}


def test_job_is_reported_when_it_runs_too_long(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    seed(installation)
    gem.answers(7, "REQUESTED", "IN_PROGRESS")
    installation.configure(
        watch=[{"job": 7, "name": "Weekly", "limits": {"running": "2s"}}], notify=everything(inbox)
    )
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 2, "the start and the limit")
        wait_until(lambda: gem.asked(7) >= 7, "more polls without a message")
        running = installation.job(7)
        table = installation.run("status").stdout
        estimates = installation.run("estimate").stdout
        gem.answers(7, "SUCCESS")
        wait_until(lambda: len(inbox.messages) == 3, "the end")
        assert 'gemwatch_job_events_total{kind="running-too-long"} 1.0' in daemon.get("/metrics")[1]
        assert daemon.stop() == 0
    assert inbox.titles() == [
        "STARTED: Weekly (job 7)",
        "RUNNING TOO LONG: Weekly (job 7)",
        "SUCCESS: Weekly (job 7)",
    ]
    started, late, ended = (message.body for message in inbox.messages)
    assert re.match(
        r"Expected end: .* UTC; 8 in 10 end between .* and .* UTC; from 5 runs of the same input\n", started
    )
    assert "the limit is 2 s." in late
    assert "Matched: 84.7 % (67.5 % fully, 17.2 % partially); previous: 86.1 %" in ended
    assert "Roads: 397,613 (80,208 km); previous: 401,002 (80,900 km)" in ended
    assert (running["estimate"]["runs"], running["estimate"]["basis"]) == (5, "input")
    assert running["limits_passed"] == ["running-too-long"]
    assert re.search(r"^7\tWeekly\tIN_PROGRESS\t.*\trunning too long$", table, re.MULTILINE)
    assert re.search(r"^7\tWeekly\tIN_PROGRESS\t.*5 runs, same input", estimates, re.MULTILINE)
    assert installation.job(7)["previous"]["matched"] == 0.861


def test_success_below_the_minimum_needs_review(installation: Installation, gem: ScriptedGem, inbox: Inbox) -> None:
    seed(installation)
    poor = {**STATISTICS, "roads_matched_ratio": 0.7, "execution_time_sec": 20}
    gem.answers(7, "IN_PROGRESS", document(7, "SUCCESS", statistics=poor))
    gem.answers(8, "IN_PROGRESS", document(8, "SUCCESS", input_filename="other.parquet"))
    installation.configure(
        watch=[7, 8],
        gate={"matched_min": 0.8, "matched_drop_max": 0.05},
        limits={"min_running": "auto"},
        notify={"team": {"url": inbox.target_url("team"), "on": ["success", "finished-too-fast"]}},
    )
    with installation.daemon() as daemon:
        wait_until(lambda: len(inbox.messages) == 3, "both ends, and that one came too soon")
        assert daemon.stop() == 0
    assert sorted(inbox.titles()) == ["FINISHED TOO FAST: job 7", "SUCCESS, needs review: job 7", "SUCCESS: job 8"]
    body = next(message.body for message in inbox.messages if "needs review" in message.title)
    reasons = ["matched 70.0 %, below the floor of 80.0 %", "matched 70.0 %, 16.1 points less than the 86.1 % before"]
    assert body.startswith("".join(f"Why: {reason}\n" for reason in reasons))
    assert installation.job(7)["needs_review"] == reasons
    assert installation.job(7)["limits_passed"] == ["finished-too-fast"]
    assert "needs review: matched 70.0 %" in installation.run("status").stdout
    assert re.search(r"gw-\d+\tneeds-review\t7\tteam\tsent", installation.run("deliveries").stdout)


def test_backtest_compares_estimates_with_real_ends(installation: Installation, gem: ScriptedGem) -> None:
    gem.answers(7, "IN_PROGRESS")
    installation.configure(watch=[7])
    seed(installation)
    assert installation.run("estimate").stdout.splitlines()[1:] == []
    shown = installation.json("estimate", "--backtest")
    assert shown["runs"] == 5
    assert [(row["of"], row["basis"], row["runs"]) for row in shown["predictions"]] == [("running", "input", 2)]
    assert shown["predictions"][0]["within"] == 1.0
    assert re.search(
        r"running time, at the start\tsame input\t2\t100\.0", installation.run("estimate", "--backtest").stdout
    )
    with installation.daemon() as daemon:
        wait_until(lambda: gem.asked(7) >= 2, "a look after the first")
        assert daemon.stop() == 0
    assert [row["job_id"] for row in installation.json("estimate")] == [7]
    assert installation.json("estimate", "7", "1001")[1]["estimate"] is None
    assert installation.run("estimate", "99").returncode == 1
    assert installation.run("estimate", "--backtest", "7").returncode == 2
