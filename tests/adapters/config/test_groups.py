"""Groups in the configuration: the members, and the settings of a group."""

from datetime import timedelta
from pathlib import Path

import pytest

from gemwatch.adapters.config.file import LoadedFile, load
from gemwatch.core.settings import GroupSettings, Members

HEAD = """\
api: {key: k, token: {value: t}}
watch: [{job: 1, group: release 11}]
discover: [{input: "nl_*", group: weekly}]
"""


def loaded(folder: Path, more: str) -> LoadedFile:
    path = folder / "config.yaml"
    path.write_text(HEAD + more)
    path.chmod(0o600)
    return load(path, {}, url_problem=lambda _: None)


def test_groups_are_read_with_their_members(tmp_path: Path) -> None:
    found = loaded(tmp_path, "groups:\n  release 11: {expect: 12, settle: 15m, members: quiet}\n  weekly:\n")
    settings = found.settings
    assert settings is not None
    assert (found.problems, found.warnings) == ((), ())
    release = GroupSettings(name="release 11", expect=12, settle=timedelta(minutes=15), members=Members.QUIET)
    assert settings.groups == (release, GroupSettings(name="weekly"))
    assert (settings.watches[0].group, settings.discover[0].watch.group) == ("release 11", "weekly")


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("groups: {weekly: {expect: 0}}", "4:27: groups.weekly.expect", "0"),
        ("groups: {weekly: {settle: soon}}", "4:27: groups.weekly.settle", "soon"),
        ("groups: {weekly: {members: silent}}", "4:28: groups.weekly.members", "quiet"),
        ("groups: {weekly: {expects: 3}}", "4:19: groups.weekly", 'did you mean "expect"?'),
        ("groups: {weekly: 7}", "4:18: groups.weekly", "must be a mapping"),
        ("groups: [weekly]", "4:9: groups", "must be a mapping"),
        ('groups: {" ": {}}', "4:10: groups", ""),
    ],
)
def test_bad_group_is_refused_with_its_place(tmp_path: Path, text: str, place: str, what: str) -> None:
    found = loaded(tmp_path, f"{text}\n")
    assert found.settings is None
    (problem,) = map(str, found.problems)
    assert problem.removeprefix(f"{tmp_path}/config.yaml:").startswith(place)
    assert what in problem


def test_group_of_no_job_is_a_warning(tmp_path: Path) -> None:
    found = loaded(tmp_path, "groups: {weakly: {expect: 3}}\n")
    assert found.settings is not None
    (warning,) = map(str, found.warnings)
    assert '4:10: warning: groups: no watch and no rule names this group; did you mean "weekly"?' in warning
