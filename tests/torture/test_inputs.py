"""A few of the damaged inputs of `make torture`."""

from torture.inputs import try_answers, try_configurations

SEED = 20260301


def test_damaged_answers_are_a_status_or_nothing() -> None:
    tried = try_answers(SEED, 1500)
    assert not tried.faults, "\n".join(tried.faults[:5])
    assert tried.inputs["answers that say something"] > 300


def test_damaged_configurations_are_applied_or_refused() -> None:
    tried = try_configurations(SEED, 300)
    assert not tried.faults, "\n".join(tried.faults[:5])
    assert tried.inputs["files that are refused"] > 30
