"""`watch` and `unwatch` change only one entry of the user's file."""

import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.config.edit import EditRefusedError, Entry, add_watches, remove_watches
from gemwatch.adapters.config.file import load
from gemwatch.core.settings import Watch

LEAST = "api: {key: k}\n"
TARGETS = LEAST + "notify: {mail: {url: 'json://x'}, 'true': {url: 'json://y'}}\n"


def no_problem(_: str) -> None:
    return None


def write(folder: Path, text: str, name: str = "config.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode())
    return path


def add(path: Path, watch: Watch) -> str:
    assert add_watches(path, [watch], {}, no_problem) == ()
    return path.read_bytes().decode()


def remove(path: Path, job_id: int) -> str:
    removed = remove_watches(path, [job_id], {}, no_problem)
    assert {entry.job_id for entry in removed} == {job_id}
    return removed[0].file.read_bytes().decode()


def watched(path: Path) -> tuple[Watch, ...]:
    loaded = load(path, {}, url_problem=no_problem)
    assert loaded.settings is not None
    return loaded.settings.watches


def refusal(path: Path, watch: Watch) -> str:
    before = path.read_bytes()
    with pytest.raises(EditRefusedError) as refused:
        add(path, watch)
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir() if p.name.startswith(".")) == []
    return str(refused.value).replace(f"{path.parent}/", "")


ADDITIONS = [
    ("watch:\n  - 1\n  # - 2\n\n# the end\n", "watch:\n  - 1\n  - 9\n  # - 2\n\n# the end\n"),
    ("watch:\n- 1 # one\npoll: {}\n", "watch:\n- 1 # one\n- 9\npoll: {}\n"),
    (
        "watch:\n    - job: 1\n      name: x # y\n\npoll:\n",
        "watch:\n    - job: 1\n      name: x # y\n    - 9\n\npoll:\n",
    ),
    (
        "watch:\n  - job: 1\n    name: >-\n      a\n      b\n\n# c\n",
        "watch:\n  - job: 1\n    name: >-\n      a\n      b\n  - 9\n\n# c\n",
    ),
    ("watch:\n  - {job: 1,\n     name: x}\n", "watch:\n  - {job: 1,\n     name: x}\n  - 9\n"),
    ("watch:\n  - 1", "watch:\n  - 1\n  - 9\n"),
    ("watch:\r\n  - 1\r\npoll:\r\n", "watch:\r\n  - 1\r\n  - 9\r\npoll:\r\n"),
    ("watch: []\n", "watch:\n  - 9\n"),
    ("watch: []  # none yet\npoll:\n", "watch:  # none yet\n  - 9\npoll:\n"),
    ("watch: []", "watch:\n  - 9\n"),
    ("watch:\n  []\n", "watch:\n\n  - 9\n"),
    ("watch: [ # none\n  ]\n", "watch: [ # none\n  9]\n"),
    ("watch:\n", "watch:\n  - 9\n"),
    ("watch:", "watch:\n  - 9\n"),
    ("watch: # none\n# here\npoll:\n", "watch: # none\n  - 9\n# here\npoll:\n"),
    ("watch: ~\npoll:\n", "watch:\n  - 9\npoll:\n"),
    ("watch: [1, 2]\n", "watch: [1, 2, 9]\n"),
    ("watch: [1, 2,]\n", "watch: [1, 2, 9,]\n"),
    ("watch: [\n  1,\n  2 # two\n]\n", "watch: [\n  1,\n  2, 9 # two\n]\n"),
    ("'watch': [1]\n", "'watch': [1, 9]\n"),
    ("poll: {}\n# the end", "poll: {}\n# the end\nwatch:\n  - 9\n"),
    ("", "watch:\n  - 9\n"),
    ("# é\nwatch:\n  - 1 # ü\n", "# é\nwatch:\n  - 1 # ü\n  - 9\n"),
]


@pytest.mark.parametrize(("before", "after"), ADDITIONS)
def test_added_entry_is_one_line_and_the_rest_is_unchanged(tmp_path: Path, before: str, after: str) -> None:
    newline = "\r\n" if "\r\n" in before else "\n"
    head = LEAST.replace("\n", newline)
    path = write(tmp_path, head + before)
    assert add(path, Watch(job_id=9)) == head + after
    assert watched(path)[-1] == Watch(job_id=9)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{api: {key: k}}\n", "{api: {key: k}, watch: [9]}\n"),
        ("{api: {key: k}, watch: []}\n", "{api: {key: k}, watch: [9]}\n"),
        ('{"api": {"key": "k"}, "watch": [1]}\n', '{"api": {"key": "k"}, "watch": [1, 9]}\n'),
        ("---\n  api: {key: k}\n", "---\n  api: {key: k}\n  watch:\n    - 9\n"),
        ("\ufeffapi: {key: k}\n", "\ufeffapi: {key: k}\nwatch:\n  - 9\n"),
    ],
)
def test_edit_keeps_unusual_file_forms(tmp_path: Path, before: str, after: str) -> None:
    assert add(write(tmp_path, before), Watch(job_id=9)) == after


@pytest.mark.parametrize(
    ("watch", "line"),
    [
        (Watch(job_id=9, name="Netherlands weekly"), "{job: 9, name: Netherlands weekly}"),
        (Watch(job_id=9, name="true"), '{job: 9, name: "true"}'),
        (Watch(job_id=9, name="2026"), '{job: 9, name: "2026"}'),
        (Watch(job_id=9, name='a: "b" # c, {d} \\ é'), '{job: 9, name: "a: \\"b\\" # c, {d} \\\\ é"}'),
        (Watch(job_id=9, name="5$ ${HOME}"), '{job: 9, name: "5$$ $${HOME}"}'),
        (Watch(job_id=9, notify=("mail", "true")), '{job: 9, notify: [mail, "true"]}'),
        (Watch(job_id=9, notify=()), "{job: 9, notify: []}"),
        (Watch(job_id=9, every=timedelta(minutes=5)), "{job: 9, every: 5m}"),
        (Watch(job_id=9, every=timedelta(seconds=90)), "{job: 9, every: 90s}"),
    ],
)
def test_entry_with_more_keys_reads_back_unchanged(tmp_path: Path, watch: Watch, line: str) -> None:
    path = write(tmp_path, TARGETS + "watch:\n  - 1\n")
    assert add(path, watch) == TARGETS + f"watch:\n  - 1\n  - {line}\n"
    assert watched(path)[-1] == watch


@given(st.text(min_size=1, max_size=50))
def test_names_read_back_unchanged_or_are_refused(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = write(tmp_path_factory.mktemp("names"), LEAST)
    watch = Watch(job_id=9, name=name)
    try:
        add(path, watch)
    except EditRefusedError:
        assert path.read_text() == LEAST
    else:
        assert watched(path) == (watch,)


REMOVALS = [
    ("watch:\n  - 9\n  - 1\n", "watch:\n  - 1\n"),
    (
        "watch:\n  - 1 # one\n  # about nine\n  - 9 # nine\n\n# end\n",
        "watch:\n  - 1 # one\n  # about nine\n\n# end\n",
    ),
    ("watch:\n  - 1\n  - job: 9\n    # why\n    name: x # y\n  # two\n  - 2\n", "watch:\n  - 1\n  # two\n  - 2\n"),
    ("watch:\n  -\n    job: 9\n  -   job: 2\n", "watch:\n  -   job: 2\n"),
    ("watch:\n  - # - trap\n    job: 9\n  - 2\n", "watch:\n  - 2\n"),
    ("watch:\n  - {job: 9,\n     name: x} # y\n  - 2\n", "watch:\n  - 2\n"),
    ("watch:\n  - job: 9\n    name: >-\n      a\n\n      - b\n\n  - 2\n", "watch:\n\n  - 2\n"),
    ("watch:\n- 9\npoll:\n", "watch:\npoll:\n"),
    ("watch:\n  - 1\n  - 9", "watch:\n  - 1\n"),
    ("watch:\r\n  - 9\r\n  - 1\r\n", "watch:\r\n  - 1\r\n"),
    ("watch: [9]\n", "watch: []\n"),
    ("watch: [9, 1]\n", "watch: [1]\n"),
    ("watch: [1, 9]\n", "watch: [1]\n"),
    ("watch: [1, '9', 2]\n", "watch: [1, 2]\n"),
    ("watch: [1, 9,]\n", "watch: [1,]\n"),
    ("watch: [\n  1, # one\n  9\n]\n", "watch: [\n  1, # one\n]\n"),
    ("watch: [\n  9, # nine\n  1\n]\n", "watch: [\n   # nine\n  1\n]\n"),
    ("watch: [{job: 9, name: 'a, b'}, 1]\n", "watch: [1]\n"),
    ("watch: [9, 9, 1]\n", "watch: [1]\n"),
    ("watch:\n  - 9\n  - 1\n  - {job: 9, every: x}\n", "watch:\n  - 1\n"),
]


@pytest.mark.parametrize(("before", "after"), REMOVALS)
def test_removed_entry_leaves_the_rest_unchanged(tmp_path: Path, before: str, after: str) -> None:
    path = write(tmp_path, LEAST + before)
    assert remove(path, 9) == LEAST + after
    assert 9 not in [watch.job_id for watch in watched(path)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# mine\n- 1\n- 9\n", "# mine\n- 1\n"),
        ("# mine\n- 9 # nine\n", "# mine\n[]\n"),
        ("- 9", "[]\n"),
        ("[9]\n", "[]\n"),
    ],
)
def test_entry_in_a_watch_file_is_removed_there(tmp_path: Path, before: str, after: str) -> None:
    more = write(tmp_path, before, "w/a.yaml")
    path = write(tmp_path, LEAST + "watch_files: [w/*.yaml]\n")
    [removed] = remove_watches(path, [9], {}, no_problem)
    assert removed.file == more
    assert more.read_text() == after
    assert path.read_text() == LEAST + "watch_files: [w/*.yaml]\n"


def test_removing_an_added_entry_restores_the_file(tmp_path: Path) -> None:
    text = TARGETS + "# list\nwatch:\n  - 1 # one\n\n  # two\n  - {job: 2}\n\nlog: {}\n# end\n"
    path = write(tmp_path, text)
    add(path, Watch(job_id=9, name="nine", notify=("mail",)))
    assert remove(path, 9) == text


def test_already_watched_job_is_reported_and_unchanged(tmp_path: Path) -> None:
    more = write(tmp_path, "- {job: '9'}\n", "w/a.yaml")
    path = write(tmp_path, LEAST + "watch_files: [w/*.yaml]\n")
    there = add_watches(path, [Watch(job_id=9), Watch(job_id=8)], {}, no_problem)
    assert there == (Entry(job_id=9, file=more, index=0, place=f"{more}:1:3"),)
    assert path.read_text() == LEAST + "watch_files: [w/*.yaml]\nwatch:\n  - 8\n"


def test_several_jobs_are_added_all_or_none(tmp_path: Path) -> None:
    path = write(tmp_path, TARGETS + "watch: # mine\n  - 1\n")
    watches = [Watch(job_id=n, notify=("mail",)) for n in (5, 6)]
    assert add_watches(path, watches, {}, no_problem) == ()
    added = TARGETS + "watch: # mine\n  - 1\n  - {job: 5, notify: [mail]}\n  - {job: 6, notify: [mail]}\n"
    assert path.read_text() == added
    with pytest.raises(EditRefusedError, match='no target is named "mial"'):
        add_watches(path, [Watch(job_id=7), Watch(job_id=8, notify=("mial",))], {}, no_problem)
    assert path.read_text() == added


def test_several_jobs_are_removed_all_or_none(tmp_path: Path) -> None:
    more = write(tmp_path, "- 9\n- 2 # two\n", "a.yaml")
    path = write(tmp_path, LEAST + "watch: [9, 1, 3]\nwatch_files: [a.yaml]\n")
    with pytest.raises(EditRefusedError, match=r"^jobs 7, 8 are not watched in .*config\.yaml$"):
        remove_watches(path, [9, 8, 7], {}, no_problem)
    assert "[9, 1, 3]" in path.read_text()
    removed = remove_watches(path, [9, 3], {}, no_problem)
    assert [(entry.job_id, entry.file) for entry in removed] == [(9, path), (3, path), (9, more)]
    assert path.read_text() == LEAST + "watch: [1]\nwatch_files: [a.yaml]\n"
    assert more.read_text() == "- 2 # two\n"


def test_lock_that_another_process_holds_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST)
    hold = "import fcntl, os, sys; fcntl.flock(os.open(sys.argv[1], 0), fcntl.LOCK_EX)"
    hold += "\nprint('held', flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert (
            refusal(path, Watch(job_id=9))
            == f"process {other.pid} holds the lock on {tmp_path}; wait for it or end it"
        )
        other.communicate("\n")
    assert add(path, Watch(job_id=9)).endswith("- 9\n")


def test_edit_with_an_invalid_result_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, TARGETS)
    assert refusal(path, Watch(job_id=9, notify=("mial",))) == (
        "nothing was changed, because the result would be wrong:\n"
        'config.yaml:4:23: watch[0].notify[0]: no target is named "mial"; did you mean "mail"?'
    )
    assert "is not a job id" in refusal(path, Watch(job_id=0))
    assert refusal(path, Watch(job_id=9, name="a\nb")) == "a name must be a single line of text"
    assert "is not a name for a target" in refusal(path, Watch(job_id=9, notify=("\udcff",)))


def test_earlier_mistakes_do_not_prevent_an_edit(tmp_path: Path) -> None:
    path = write(tmp_path, "api: {key: '${NOT_IN_THIS_SHELL}'}\nwatch:\n  - nonsense\n  - 1\n")
    assert add(path, Watch(job_id=9)).endswith("  - 1\n  - 9\n")
    assert remove(path, 1).endswith("  - nonsense\n  - 9\n")


def test_invalid_yaml_must_be_fixed_before_an_edit(tmp_path: Path) -> None:
    path = write(tmp_path, "api: [\n")
    assert refusal(path, Watch(job_id=9)).startswith("fix this first:\nconfig.yaml:2:1: YAML: ")


@pytest.mark.parametrize(
    "text", ["- 1\n", LEAST + "watch: {a: 1}\n", LEAST + "watch: 5\n", LEAST + "watch: ''\n", LEAST + "...\n"]
)
def test_unsupported_yaml_form_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(write(tmp_path, text), Watch(job_id=9)).endswith("by hand")


def test_job_that_is_not_watched_cannot_be_removed(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST + "watch: [1]\n")
    with pytest.raises(EditRefusedError, match=r"^job 9 is not watched in .*config\.yaml$"):
        remove(path, 9)


def test_edit_keeps_links_and_modes(tmp_path: Path) -> None:
    real = write(tmp_path, LEAST, "real/config.yaml")
    real.chmod(0o640)
    path = tmp_path / "config.yaml"
    path.symlink_to("real/config.yaml")
    add(path, Watch(job_id=9))
    assert path.is_symlink()
    assert real.read_text() == LEAST + "watch:\n  - 9\n"
    assert real.stat().st_mode & 0o7777 == 0o640
    assert [p.name for p in real.parent.iterdir()] == ["config.yaml"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_edit_keeps_the_owner(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST)
    os.chown(path, 1234, 5678)
    add(path, Watch(job_id=9))
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 5678)


def test_concurrent_change_is_not_overwritten(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST + "notify: {mail: {url: 'json://x'}}\n")

    def edited_meanwhile(_: str) -> None:
        path.write_text(LEAST + "# someone else was here\n")

    with pytest.raises(EditRefusedError, match="was changed in the meantime, so nothing was written; try again"):
        add_watches(path, [Watch(job_id=9)], {}, edited_meanwhile)
    assert path.read_text() == LEAST + "# someone else was here\n"


def test_concurrent_edits_lose_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST)
    threads = [threading.Thread(target=add, args=(path, Watch(job_id=n))) for n in range(1, 21)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {watch.job_id for watch in watched(path)} == set(range(1, 21))


def in_a_namespace(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-ec", script, "sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def may_mount() -> bool:
    try:
        return in_a_namespace("mount --bind /etc/hostname /etc/hostname").returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not may_mount(), reason="mounts are not permitted here")
def test_file_that_is_a_mount_point_is_refused_untouched(tmp_path: Path) -> None:
    path = write(tmp_path, LEAST)
    code = (
        "import sys; from pathlib import Path; from gemwatch.core.settings import Watch\n"
        "from gemwatch.adapters.config.edit import add_watches\n"
        "add_watches(Path(sys.argv[1]), [Watch(job_id=9)], {}, lambda url: None)"
    )
    done = in_a_namespace('mount --bind "$1" "$1"; "$2" -c "$3" "$1"', str(path), sys.executable, code)
    assert "is mounted as a single file, so it cannot be replaced; mount its folder" in done.stderr
    assert path.read_text() == LEAST
    assert [p.name for p in tmp_path.iterdir()] == ["config.yaml"]
