"""Remedies: sentences, and commands that can be copied."""

from gemwatch.core.text.steps import Step, ended, run, steps_of, text_of

REMEDY = run("Log in. Run:", "az login --scope 'a b'", "Then wait.")


def test_remedy_has_its_command_on_its_own_line() -> None:
    assert REMEDY.splitlines() == ["Log in. Run:", "  az login --scope 'a b'", "Then wait."]
    assert steps_of(REMEDY) == (
        Step(text="Log in. Run:"),
        Step(text="az login --scope 'a b'", command=True),
        Step(text="Then wait."),
    )
    assert text_of(steps_of(REMEDY)) == REMEDY


def test_adjacent_sentences_are_one_step() -> None:
    assert steps_of("(1) One.\n(2) Two:\n\n  do it\n") == (
        Step(text="(1) One. (2) Two:"),
        Step(text="do it", command=True),
    )
    assert steps_of("") == ()


def test_full_stop_never_becomes_part_of_a_command() -> None:
    assert ended("Write a token to it") == "Write a token to it."
    assert ended("Done.") == "Done."
    assert ended(run("Run:", "az account show")) == "Run:\n  az account show"
