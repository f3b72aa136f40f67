"""A few of the reloads of `make torture`."""

from pathlib import Path

from torture.reloads import reload_often

SEED = 20260301


async def test_sixty_edits_lose_no_poll_and_name_each_mistake(tmp_path: Path) -> None:
    tally = await reload_often(tmp_path, SEED, 60)
    assert not tally.faults, "\n".join(tally.faults)
    assert tally.reloads == 60
