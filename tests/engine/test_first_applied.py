"""When a rule was first applied decides which jobs are past, through jumps of the clock and without edits."""

from datetime import timedelta
from pathlib import Path

from gemwatch.core.settings import Rule
from support.account import RULE, Account, apply, discovering, rounds, watched
from support.clock import FakeClock
from support.gem import ScriptedGem
from support.inbox import Inbox


async def test_clock_set_back_hides_no_end_of_a_new_job(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        clock.jump(-86_400)
        await rig.maintenance.round()
        account.has(7, "SUCCESS", clock.now())  # ends before a list shows it
        await rounds(rig)
    assert inbox.titles() == ["SUCCESS: nl_7.parquet (job 7)"]


async def test_clock_set_forward_hides_no_end_of_a_new_job(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        account.has(7, "SUCCESS", clock.now())
        clock.jump(86_400)  # as after a sleep of the machine
        await rig.maintenance.round()
        await rounds(rig)
    assert inbox.titles() == ["SUCCESS: nl_7.parquet (job 7)"]


async def test_rule_added_right_after_a_jump_back_reports_no_past_job(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    account.has(7, "SUCCESS", clock.now() - timedelta(hours=30))
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        clock.jump(-86_400)
        apply(rig, rules=(RULE, Rule(input="*_7.parquet")))
        apply(rig, rules=(Rule(input="*_7.parquet"),))
        await rig.maintenance.round()
        await rounds(rig)
    assert inbox.messages == []


async def test_rule_in_force_outlives_old_history(
    gem: ScriptedGem, inbox: Inbox, clock: FakeClock, tmp_path: Path
) -> None:
    account = Account(gem)
    async with discovering(gem, inbox, tmp_path, clock) as rig:
        await rounds(rig)
        clock.advance(timedelta(days=30).total_seconds())  # without an edit
        await rounds(rig)
        rig.housekeeping.prune(clock.now() - timedelta(days=7))
        account.has(7, "IN_PROGRESS", clock.now())
        await rounds(rig)
        assert sorted(watched(rig)) == [7]
