"""Watch files can only add watches, regardless of their content and number."""

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.config.file import LoadedFile, load
from gemwatch.adapters.config.problems import MOST_PROBLEMS
from gemwatch.adapters.config.sources import MOST_FILES
from gemwatch.adapters.config.watches import MOST_WATCHES
from gemwatch.app.configuration import Configuration
from gemwatch.core.settings import Watch

SECRET = "s3cret-hunter2"
MAIN = "api: {key: k}\nnotify: {mail: {url: 'json://localhost'}}\nwatch: [1]\nwatch_files: ['w/*.yaml']\n"


def read(folder: Path, *files: str, **environ: str) -> LoadedFile:
    main = folder / "config.yaml"
    main.write_text(MAIN)
    (folder / "w").mkdir(exist_ok=True)
    for number, text in enumerate(files):
        (folder / f"w/{number}.yaml").write_text(text)
    return load(main, environ, url_problem=lambda _: None)


def test_dollar_is_a_plain_character(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    loaded = read(tmp_path, "- {job: 2, name: '${KEY} $$ ${file:secret} ${'}\n", KEY=SECRET)
    assert loaded.problems == ()
    assert loaded.settings is not None
    assert loaded.settings.watches[1] == Watch(job_id=2, name="${KEY} $$ ${file:secret} ${")


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ("{job: 2, every: 29s}", "2:19: watch[1].every: must be 30s at least in a watch file"),
        ("{job: 2, every: 1}", "2:19: watch[1].every: must be 30s at least in a watch file"),
        ("{job: hunter2}", "2:9: watch[1].job: is not a job id; write an integer from 1 to 9223372036854775807"),
        (
            "{job: 2, hunter: 2}",
            "2:12: watch[1]: unknown key; known are job, name, notify, every, limits, gate, group",
        ),
        ("{job: 2, nam: 2}", '2:12: watch[1]: unknown key; did you mean "name"?'),
        ("{job: 2, notify: [hunter2]}", "2:21: watch[1].notify[0]: no target has this name; name one from notify"),
        ("{job: 2, limits: {running: hunter2}}", None),
        ("{job: 2, gate: {matched_min: 815}}", None),
        ("{job: 2, hunter2: &hunter2 x}", None),
        ("{job: 2, hunter2: 1, hunter2: 2}", "2:24: watch[1]: duplicate key; first at line 2"),
        ("hunter2", None),
        ("1", "2:3: watch[1]: this job is already watched; first at config.yaml:3:9"),
    ],
)
def test_problems_never_quote_the_watch_file(tmp_path: Path, entry: str, what: str | None) -> None:
    loaded = read(tmp_path, f"- {{job: 3, every: 30s}}\n- {entry}\n")
    problems = [str(problem).replace(f"{tmp_path}/", "") for problem in loaded.problems]
    assert problems
    assert "hunter" not in str(problems)
    assert "815" not in str(problems)
    if what is not None:
        assert f"w/0.yaml:{what}" in problems
    assert loaded.settings is not None
    assert [watch.job_id for watch in loaded.settings.watches] == [1, 3]


LINKED = [
    SECRET,
    f"key: {SECRET}",
    f"- {SECRET}: {SECRET}",
    f"- [{SECRET}",
    f"{SECRET}: !{SECRET} x",
    f"- &{SECRET} 1",
]


@pytest.mark.parametrize("text", LINKED)
def test_problems_never_quote_a_linked_file(tmp_path: Path, text: str) -> None:
    (tmp_path / "elsewhere").write_text(text)
    (tmp_path / "w").mkdir()
    (tmp_path / "w/link.yaml").symlink_to(tmp_path / "elsewhere")
    loaded = read(tmp_path)
    assert loaded.problems
    assert "hunter2" not in str(list(map(str, loaded.problems)))


KEYS = st.sampled_from(["job", "name", "every", "notify", "limits", "running", "gate", f"{SECRET}x", SECRET])
SCALARS = st.sampled_from(
    ["1", "2", "5m", "''", "~", "true", "mail", "&a b", "*a", "!t x", '"\\0"', SECRET, f"'{SECRET}'"]
)


def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    lists = st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]")
    pairs = st.lists(st.tuples(KEYS, inner), max_size=4)
    return lists | pairs.map(lambda some: f"{{{', '.join(f'{key}: {value}' for key, value in some)}}}")


@given(st.lists(st.recursive(SCALARS, nested, max_leaves=8), max_size=5))
def test_problems_never_show_a_secret_of_a_watch_file(
    tmp_path_factory: pytest.TempPathFactory, entries: list[str]
) -> None:
    loaded = read(tmp_path_factory.mktemp("any"), "".join(f"- {entry}\n" for entry in entries))
    assert "hunter2" not in str(list(map(str, loaded.problems)))


SECRET_AT = [
    *("api.key", "api.base_url", "api.token.value", "api.token.command", "api.timeout", "api.max_rate", "poll.every"),
    *("notify.a", "notify.a.url", "notify.a.on", "notify.a.format", "notify.a.time_zone", "notify.a.fallback"),
    *(
        "heartbeat.url",
        "store.url",
        "web.listen",
        "web.token",
        "web.hosts",
        "web.public_url",
        "web.proxies",
        "log.level",
    ),
]


@given(
    st.sampled_from(SECRET_AT),
    st.sampled_from(["{}", " {}", "{}\n", "x://{}@[h", "{}/TokenA", "ftp://{}", "${{S}} x"]),
)
def test_problems_never_show_a_secret_of_the_main_file(
    tmp_path_factory: pytest.TempPathFactory, place: str, form: str
) -> None:
    secret = "Hunter2/Hunter2/" + "q" * 30
    document: dict[str, Any] = {"api": {"key": "k"}}
    *sections, key = place.split(".")
    inner = document
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[key] = form.format(secret)
    main = tmp_path_factory.mktemp("main") / "config.yaml"
    main.write_text(json.dumps(document))  # which is YAML too
    loaded = load(main, {"S": secret}, url_problem=lambda url: None if "://" in url else "is not a URL")
    shown = [str(problem) for problem in (*loaded.problems, *loaded.warnings)]
    assert "hunter2" not in str(shown).lower()


def test_files_are_capped(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    for number in range(30_000):
        os.close(os.open(tmp_path / f"w/n{number:05}.yaml", os.O_CREAT | os.O_WRONLY))
    loaded = read(tmp_path)
    assert loaded.settings is None
    [problem] = loaded.problems
    assert problem.what == "there are more than 1,000 watch files; put more watches into each"
    assert len(loaded.sources.seen) <= MOST_FILES + 2
    assert loaded.sources.stamps() == loaded.sources.seen


def test_bytes_of_all_watch_files_are_capped(tmp_path: Path) -> None:
    filler = "# " + "x" * 6_000_000 + "\n- {}\n"
    loaded = read(tmp_path, *(filler.format(number) for number in (2, 3, 4)))
    assert loaded.settings is None
    [problem] = loaded.problems
    assert (problem.file.name, problem.what) == ("2.yaml", "makes the watch files larger than 16384 KiB together")


def test_watches_are_capped(tmp_path: Path) -> None:
    loaded = read(tmp_path, "".join(f"- {number}\n" for number in range(2, MOST_WATCHES + 2)))
    assert loaded.settings is None
    assert [problem.what for problem in loaded.problems] == ["there are more than 100,000 watches"]


@pytest.mark.parametrize("bad", ["x", "{job: 5, nam: x}", "&a 5", "{job: 5, limits: {runing: 5}}", "{}", "2"])
def test_bad_entries_are_counted_beyond_the_first(tmp_path: Path, bad: str) -> None:
    many = 20_000
    loaded = read(tmp_path, "- 2\n" + f"- {bad}\n" * many)
    assert loaded.settings is not None
    assert [watch.job_id for watch in loaded.settings.watches] == [1, 2]
    assert len(loaded.problems) == MOST_PROBLEMS + 1
    assert all(problem.entry for problem in loaded.problems)
    assert loaded.problems[-1].what == f"and {many - MOST_PROBLEMS:,} more problems"


@pytest.mark.parametrize(
    "entry",
    [
        "{job: 2, " + ", ".join(f"k{number}: 1" for number in range(60_000)) + "}",
        "{job: 2, " + ", ".join("name: x" for _ in range(60_000)) + "}",
        "{job: 2, limits: {" + ", ".join(f"k{number}: 1" for number in range(60_000)) + "}}",
        "{job: 2, notify: [" + ", ".join(f"t{number}" for number in range(60_000)) + "]}",
        "{job: 2, name: [" * 15 + "]}" * 15,
    ],
    ids=["keys", "duplicates", "limits", "targets", "nested"],
)
def test_huge_entry_is_skipped_with_few_problems(tmp_path: Path, entry: str) -> None:
    loaded = read(tmp_path, f"- {entry}\n- 3\n")
    assert loaded.settings is not None
    assert [watch.job_id for watch in loaded.settings.watches] == [1, 3]
    assert 1 <= len(loaded.problems) <= MOST_PROBLEMS + 1


async def test_running_program_reads_outside_its_loop(tmp_path: Path) -> None:
    read(tmp_path, "- 2\n")
    configuration = Configuration(tmp_path / "config.yaml", {})
    try:
        (tmp_path / "w/0.yaml").write_text("".join(f"- {{job: {n}, every: x}}\n" for n in range(2, 20_000)))
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0)
                ticks += 1

        ticking = asyncio.create_task(tick())
        noticed = [await configuration.edited() for _ in range(2)]
        loaded = await configuration.read()
        ticking.cancel()
    finally:
        configuration.close()
    assert any(noticed)
    assert len(loaded.problems) == MOST_PROBLEMS + 1
    assert ticks > 20  # the loop went round while the thread was reading


def test_watch_with_the_shortest_interval_is_accepted(tmp_path: Path) -> None:
    loaded = read(tmp_path, "- {job: 2, every: 30s}\n")
    assert loaded.settings is not None
    assert loaded.settings.watches[1].every == timedelta(seconds=30)
