"""What a wait takes from a configuration that others made, and from the environment where there is none."""

from datetime import timedelta
from pathlib import Path

import pytest

from gemwatch.adapters.config.values import BadValue
from gemwatch.adapters.config.wait import WaitSettings, from_environment, from_file
from gemwatch.core.settings import DEFAULT_BASE_URL, DEFAULT_TOKEN_COMMAND

GOOD = """
api: {key: "${KEY}", max_rate: 5}
poll: {every: 2m, not_found_after: 5}
gate: {matched_min: 0.8}
notify: {team: {url: "${URL}"}}
watch:
  - 1
  - {job: 2, name: Weekly, notify: [team], gate: {matched_min: 0.5}}
  - nonsense
watch_files: [more.yaml, gone.yaml]
store: {url: "sqlite:///data/store.db"}
web: {listen: nonsense}
unknown: 1
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def test_only_what_matters_to_a_wait_is_read_and_mistakes_elsewhere_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("- {job: 3, name: Monthly}\n- {job: 3}\n")
    settings = from_file(written(tmp_path, GOOD), {"KEY": "a-key"})
    assert isinstance(settings, WaitSettings)
    assert (settings.api.key, settings.api.max_rate) == ("a-key", 5)
    assert (settings.poll.every, settings.poll.not_found_after) == (timedelta(minutes=2), 5)
    assert settings.store_url == f"sqlite:///{tmp_path / 'data/store.db'}"
    assert {job_id: watch.name for job_id, watch in settings.watches.items()} == {1: None, 2: "Weekly", 3: "Monthly"}
    assert settings.gate is not None
    assert settings.watches[2].gate is not None
    assert (settings.gate.matched_min, settings.watches[2].gate.matched_min) == (0.8, 0.5)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (GOOD, "2:12", "KEY"),
        ("poll: {every: 1m}\n", "1:1", '"key" is missing'),
        ("api: {key: k, tokn: 1}\n", "1:15", "unknown key"),
        ("api: {key: k}\npoll: {every: soon}\n", "2:15", "not a duration"),
        ("api: {key: k}\ngate: {matched_min: 80}\n", "2:21", "80"),
        ("api: {key: k}\nstore: {url: postgres}\n", "2:14", "SQLite"),
        ("- 1\n", "1:1", "must be a mapping"),
        ("", "1:1", "is empty"),
        ("api: {\n", "2:1", ""),
    ],
)
def test_a_mistake_that_matters_is_named_with_its_place(tmp_path: Path, text: str, place: str, words: str) -> None:
    path = written(tmp_path, text)
    problems = from_file(path, {})
    assert isinstance(problems, tuple)
    assert str(problems[0]).startswith(f"{path}:{place}: ")
    assert words in problems[0].what


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    problems = from_file(tmp_path / "gone.yaml", {})
    assert isinstance(problems, tuple)
    assert len(problems) == 1


def test_without_a_file_a_key_is_enough() -> None:
    settings = from_environment({"TOMTOM_API_KEY": "a-key"})
    assert (settings.api.key, settings.api.base_url) == ("a-key", DEFAULT_BASE_URL)
    assert settings.api.token.command == DEFAULT_TOKEN_COMMAND
    assert (settings.store_url, settings.watches, settings.gate) == (None, {}, None)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "TOMTOM_API_KEY is not set"),
        ({"TOMTOM_API_KEY": ""}, "TOMTOM_API_KEY is empty"),
        ({"TOMTOM_API_KEY": "SECRET\nword"}, "TOMTOM_API_KEY may hold only"),
        ({"TOMTOM_API_KEY": "k", "GEMWATCH_BASE_URL": "example.com"}, "GEMWATCH_BASE_URL is not an http"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named_and_its_value_is_not(environ: dict[str, str], words: str) -> None:
    with pytest.raises(BadValue, match=words) as raised:
        from_environment(environ)
    assert "SECRET" not in str(raised.value)
