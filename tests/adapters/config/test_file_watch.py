"""A change of the configuration is noticed once and when it has settled, however it was saved."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gemwatch.adapters.config.file import load
from gemwatch.adapters.config.sources import FileWatch, Sources

MAIN = "api: {key: '${file:key}'}\nwatch_files: [w/*.yaml, named.yaml]\n"


def read(folder: Path) -> Sources:
    return load(folder / "config.yaml", {}, url_problem=lambda _: None).sources


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    (tmp_path / "w/a.yaml").write_text("[1]\n")
    (tmp_path / "named.yaml").write_text("[2]\n")
    (tmp_path / "key").write_text("k\n")
    (tmp_path / "config.yaml").write_text(MAIN)
    return tmp_path


def write_in_place(path: Path) -> None:
    with path.open("a") as file:
        file.write("# more\n")


def same_size_in_place(path: Path) -> None:
    text = path.read_bytes()
    os.utime(path, ns=(0, 0))
    path.write_bytes(text)


def rename_over(path: Path) -> None:
    other = path.with_name(".new")
    other.write_bytes(path.read_bytes())
    other.replace(path)


def delete(path: Path) -> None:
    path.unlink()


def delete_and_create(path: Path) -> None:
    text = path.read_bytes()
    path.unlink()
    path.write_bytes(text)


def become_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SAVES = [write_in_place, same_size_in_place, rename_over, delete, delete_and_create, become_a_folder]


@pytest.mark.parametrize("save", SAVES)
@pytest.mark.parametrize("name", ["config.yaml", "w/a.yaml", "named.yaml", "key"])
def test_every_way_of_saving_is_noticed_once_per_save(folder: Path, name: str, save: Callable[[Path], None]) -> None:
    watch = FileWatch(read(folder))
    assert [watch.changed(), watch.changed()] == [False, False]
    save(folder / name)
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]
    watch.watch(read(folder))
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, False, False]


def test_file_being_written_is_not_reported_yet(folder: Path) -> None:
    watch = FileWatch(read(folder))
    for _ in range(5):
        write_in_place(folder / "config.yaml")
        assert not watch.changed()
    assert watch.changed()


def test_matching_file_is_noticed_when_added_and_removed(folder: Path) -> None:
    watch = FileWatch(read(folder))
    (folder / "w/b.yaml").write_text("[3]\n")
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]
    watch.watch(read(folder))
    (folder / "w/b.yaml").unlink()
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]


def test_other_files_in_the_folders_are_ignored(folder: Path) -> None:
    watch = FileWatch(read(folder))
    (folder / "w/.b.yaml.swp").touch()
    (folder / "w/b.yaml~").touch()
    (folder / "gemwatch.db").touch()
    assert [watch.changed(), watch.changed()] == [False, False]


def test_configuration_created_later_is_noticed(folder: Path) -> None:
    (folder / "config.yaml").unlink()
    watch = FileWatch(read(folder))
    assert [watch.changed(), watch.changed()] == [False, False]
    (folder / "config.yaml").write_text(MAIN)
    assert [watch.changed(), watch.changed()] == [False, True]


def test_referenced_file_created_later_is_noticed(folder: Path) -> None:
    (folder / "key").unlink()
    watch = FileWatch(read(folder))
    (folder / "key").write_text("k\n")
    assert [watch.changed(), watch.changed()] == [False, True]


def test_config_map_symlink_swap_is_noticed(folder: Path) -> None:
    mount = folder / "mount"
    mount.mkdir()
    (mount / "config.yaml").symlink_to("..data/config.yaml")

    def swap(version: str) -> None:
        (mount / version).mkdir()
        (mount / version / "config.yaml").write_text("api: {key: k}\n")
        (mount / "..new").symlink_to(version)
        (mount / "..new").replace(mount / "..data")

    swap("..1")
    watch = FileWatch(read(mount))
    for version in ("..2", "..3"):
        swap(version)
        assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]
        watch.watch(read(mount))


def test_recreated_folder_is_noticed(folder: Path) -> None:
    watch = FileWatch(read(folder))
    (folder / "w/a.yaml").unlink()
    (folder / "w").rmdir()
    assert [watch.changed(), watch.changed()] == [False, True]
    (folder / "w").mkdir()
    (folder / "w/a.yaml").write_text("[1]\n")
    assert [watch.changed(), watch.changed()] == [False, True]


def test_edit_during_the_load_is_noticed(folder: Path) -> None:
    watch = FileWatch(read(folder))
    (folder / "config.yaml").write_text(MAIN.replace("named", "new"))
    (folder / "new.yaml").write_text("[4]\n")
    assert [watch.changed(), watch.changed()] == [False, True]
    loaded = read(folder)
    (folder / "new.yaml").write_text("[4, 5]\n")  # after it was read, before the load was taken over
    watch.watch(loaded)
    assert [watch.changed(), watch.changed(), watch.changed()] == [False, True, False]


def test_reverted_change_is_not_reported(folder: Path) -> None:
    watch = FileWatch(read(folder))
    (folder / "w/b.yaml").write_text("[3]\n")
    assert not watch.changed()
    (folder / "w/b.yaml").unlink()
    assert [watch.changed(), watch.changed()] == [False, False]
