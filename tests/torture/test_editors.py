"""Several who change the configuration at the same time: nobody's change is lost without a word."""

import threading
from pathlib import Path

import yaml

from gemwatch.adapters.config.edit import EditRefusedError, add_watches, remove_watches
from gemwatch.adapters.config.file import load
from gemwatch.core.settings import Watch
from support.gem import KEY, TOKEN

VERSIONS = 25


def _no_problem(_: str) -> None:
    return None


def _document(**sections: object) -> dict[str, object]:
    return {"api": {"key": KEY, "token": {"value": TOKEN}}, "watch": [1], **sections}


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_suffix(f".{threading.get_ident()}")
    unfinished.write_text(text)
    unfinished.replace(path)


def test_file_replaced_while_read_is_one_version_or_the_other(tmp_path: Path) -> None:
    path, done = tmp_path / "config.yaml", threading.Event()
    path.write_text(yaml.safe_dump(_document()))

    def write() -> None:
        for version in range(VERSIONS):
            watch = [{"job": job_id, "name": f"version {version}"} for job_id in range(1, 400)]
            _replace(path, yaml.safe_dump(_document(watch=watch)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    previous = None
    while not done.is_set():
        loaded = load(path, {}, url_problem=_no_problem, previous=previous)
        assert loaded.problems == ()
        assert loaded.settings is not None
        previous = loaded.texts
        assert len({watch.name for watch in loaded.settings.watches}) == 1
    writer.join()


def test_commands_side_by_side_lose_none_of_their_changes(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"# ours\n{yaml.safe_dump(_document())}")
    refused: list[EditRefusedError] = []

    def change(first: int) -> None:
        for job_id in range(first, first + 12):
            try:
                add_watches(path, [Watch(job_id=job_id)], {}, _no_problem)
                if job_id % 3 == 0:
                    remove_watches(path, [job_id], {}, _no_problem)
            except EditRefusedError as error:
                refused.append(error)

    threads = [threading.Thread(target=change, args=(first,)) for first in (100, 200, 300, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settings = load(path, {}, url_problem=_no_problem).settings
    assert settings is not None
    wanted = {first + n for first in (100, 200, 300, 400) for n in range(12) if (first + n) % 3}
    assert {watch.job_id for watch in settings.watches} == wanted | {1}
    assert refused == []
    assert path.read_text().startswith("# ours\n")
