"""Reading only some sections of a configuration, or the environment without a file."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest

from gemwatch.adapters.config.bad_value import BadValueError
from gemwatch.adapters.config.file import LoadedFile, api_from_environment, load_sections
from gemwatch.core.settings import DEFAULT_BASE_URL, DEFAULT_TOKEN_COMMAND

FOR_WAIT = ("api", "poll", "gate", "store", "watch")
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
store: {url: "sqlite:///data/store.db", keep: nonsense}
web: {listen: "localhost:1", token: "${TOKEN}"}
unknown: 1
"""


def load(folder: Path, text: str, names: Collection[str], **environ: str) -> LoadedFile:
    path = folder / "config.yaml"
    path.write_text(text)
    return load_sections(path, environ, names)


def test_wait_reads_its_sections_and_ignores_other_mistakes(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("- {job: 3, name: Monthly}\n- {job: 3}\n")
    loaded = load(tmp_path, GOOD.replace(", keep: nonsense", ""), FOR_WAIT, KEY="a-key")
    settings = loaded.settings
    assert settings is not None
    assert (settings.api.key, settings.api.max_rate) == ("a-key", 5)
    assert (settings.poll.every, settings.poll.not_found_after) == (timedelta(minutes=2), 5)
    assert settings.store.place == tmp_path / "data/store.db"
    assert {watch.job_id: watch.name for watch in settings.watches} == {1: None, 2: "Weekly", 3: "Monthly"}
    assert settings.gate is not None
    assert settings.watches[1].gate is not None
    assert (settings.gate.matched_min, settings.watches[1].gate.matched_min) == (0.8, 0.5)


def test_one_key_is_read_despite_other_mistakes(tmp_path: Path) -> None:
    store = load(tmp_path, GOOD, ("store.url",))
    assert store.settings is not None
    assert store.settings.store.place == tmp_path / "data/store.db"
    assert store.problems == ()
    web = load(tmp_path, GOOD, ("web.listen",))
    assert web.settings is not None
    assert (web.settings.web.host, web.settings.web.port, web.settings.web.token) == ("localhost", 1, None)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        (GOOD, "2:12", "KEY"),
        ("poll: {every: 1m}\n", "1:1", '"key" is missing'),
        ("api: {key: k, tokn: 1}\n", "1:15", "unknown key"),
        ("api: {key: k}\npoll: {every: soon}\n", "2:15", "not a duration"),
        ("api: {key: k}\ngate: {matched_min: 80}\n", "2:21", "80"),
        ("api: {key: k}\nstore: {url: postgres}\n", "2:14", "sqlite:///gemwatch.db"),
        ("- 1\n", "1:1", "must be a mapping"),
        ("", "1:1", "is empty"),
        ("api: {\n", "2:1", ""),
    ],
)
def test_mistake_in_a_section_has_its_place(tmp_path: Path, text: str, place: str, words: str) -> None:
    loaded = load(tmp_path, text, FOR_WAIT)
    assert loaded.settings is None
    assert str(loaded.problems[0]).startswith(f"{tmp_path / 'config.yaml'}:{place}: ")
    assert words in loaded.problems[0].what


def test_unreadable_file_is_one_problem(tmp_path: Path) -> None:
    loaded = load_sections(tmp_path / "gone.yaml", {}, FOR_WAIT)
    assert loaded.settings is None
    assert [problem.where for problem in loaded.problems] == ["file"]


def test_key_is_enough_without_a_file() -> None:
    api = api_from_environment({"TOMTOM_API_KEY": "a-key"})
    assert (api.key, api.base_url) == ("a-key", DEFAULT_BASE_URL)
    assert api.token.command == DEFAULT_TOKEN_COMMAND


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, "TOMTOM_API_KEY is not set"),
        ({"TOMTOM_API_KEY": ""}, "TOMTOM_API_KEY is empty"),
        ({"TOMTOM_API_KEY": "SECRET\nword"}, "TOMTOM_API_KEY may contain only"),
        ({"TOMTOM_API_KEY": "replace-me"}, "TOMTOM_API_KEY is a placeholder"),
        ({"TOMTOM_API_KEY": "k", "GEMWATCH_BASE_URL": "example.com"}, "GEMWATCH_BASE_URL is not an http"),
    ],
)
def test_unusable_variable_is_named_without_its_value(environ: dict[str, str], words: str) -> None:
    with pytest.raises(BadValueError, match=words) as raised:
        api_from_environment(environ)
    assert "SECRET" not in str(raised.value)
