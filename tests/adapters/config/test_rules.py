"""Rules in the configuration: a bad one is skipped and reported with its place."""

from datetime import timedelta
from pathlib import Path

import pytest

from gemwatch.adapters.config.file import LoadedFile, load
from gemwatch.core.settings import Rule, Watch

HEAD = """\
api: {key: k, token: {value: t}}
notify: {team: {url: "json://localhost"}}
discover:
  - {input: "nl_*", name: "{input}", max: 5, requested_within: 2d, notify: [team], every: 5m}
"""


def loaded(folder: Path, more: str = "") -> LoadedFile:
    path = folder / "config.yaml"
    path.write_text(HEAD + more)
    return load(path, {"PREFIX": "be"}, url_problem=lambda _: None)


def test_rule_is_read_with_the_keys_of_its_watches(tmp_path: Path) -> None:
    settings = loaded(tmp_path).settings
    assert settings is not None
    watch = Watch(job_id=0, name="{input}", notify=("team",), every=timedelta(minutes=5))
    assert settings.discover == (Rule(input="nl_*", max=5, requested_within=timedelta(days=2), watch=watch),)


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("{}", "needs at least one of job_type, storage, input, release"),
        ("{max: 5}", "needs at least one of job_type, storage, input, release"),
        ("7", "must be a mapping"),
        ("{input: be, max: 0}", "max"),
        ("{input: be, requested_within: x}", "requested_within"),
        ('{input: be, name: "{file}"}', "has an unknown field {file}; known are {input}, {storage}"),
        ("{input: be, notify: [nobody]}", "no target is named"),
        ("{input: be, jobs: 7}", "unknown key"),
        ("{input: 7}", "input"),
        ('{input: " be"}', "starts or ends with a space"),
        ('{input: "nl_*", every: 2m}', "has the same patterns as discover[0]"),
        ('{input: "${MISSING}"}', "MISSING"),
        ("{input: be, input: nl}", "input"),
    ],
)
def test_bad_rule_is_skipped_with_its_place(tmp_path: Path, entry: str, what: str) -> None:
    found = loaded(tmp_path, f"  - {entry}\n  - {{input: de}}\n")
    assert found.settings is not None
    assert [rule.input for rule in found.settings.discover] == ["nl_*", "de"]
    (problem,) = found.problems
    assert problem.entry
    assert problem.line == 5
    assert problem.where.startswith("discover[1]")
    assert what in str(problem)


def test_list_of_another_type_refuses_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("api: {key: k, token: {value: t}}\ndiscover: {input: nl}\n")
    assert load(path, {}, url_problem=lambda _: None).settings is None


def test_references_work_in_rules(tmp_path: Path) -> None:
    settings = loaded(tmp_path, '  - {input: "${PREFIX}_*"}\n').settings
    assert settings is not None
    assert settings.discover[1].input == "be_*"
