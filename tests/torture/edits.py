"""Edits of the configuration, good and broken, saved in every way that people and machines save files."""

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

KEPT = (1, 2, 3)  # are in every good version
BOMB = "a: &a [x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 9)}]\n" for name in "bcdefghij"
)


class Author:
    """Writes one version after the other. `good` is what the last good one watches."""

    def __init__(self, path: Path, document: dict[str, Any], seed: int) -> None:
        self.path, self._document, self._chance = path, document, random.Random(seed)
        self.good: dict[int, str | None] = dict.fromkeys(KEPT)
        self.version = 0

    def fix(self) -> str:
        """Save a good version, in a way of its own."""
        guests = self._chance.sample(range(10, 60), self._chance.randrange(12))
        self.good = dict.fromkeys(KEPT) | dict.fromkeys(guests, f"version {self.version}")
        way = self._chance.choice([self._in_place, self._renamed, self._swapped])
        way(self._text().encode())
        return way.__name__.strip("_")

    def spoil(self) -> str:
        """Save a broken version that is refused whole; what is wrong with it."""
        name = self._chance.choice(list(_BROKEN))
        self._clear()
        _BROKEN[name](self.path, self._text(), self._chance)
        return name

    def spoil_an_entry(self) -> str:
        """Save a version in which single entries are wrong and all others are good."""
        bad = self._chance.choice(
            [1, "one", {"job": 4, "nam": "x"}, {"job": -4}, {"job": True}, [4], None, 2.5, "0x1"]
        )
        self.good = dict.fromkeys(KEPT)
        self._renamed(self._text(bad).encode())
        return f"entry {json.dumps(bad)}"

    def _text(self, *more: Any) -> str:
        self.version += 1
        watch = [job if name is None else {"job": job, "name": name} for job, name in self.good.items()]
        text: str = yaml.safe_dump({**self._document, "watch": [*watch, *more]}, sort_keys=False)
        return f"# version {self.version}\n{text}"

    def _in_place(self, text: bytes) -> None:
        if not self.path.is_file():
            self._clear()
        self.path.write_bytes(text)

    def _renamed(self, text: bytes) -> None:
        self._clear(keep_file=True)
        unfinished = self.path.with_suffix(".new")
        unfinished.write_bytes(text)
        unfinished.replace(self.path)

    def _swapped(self, text: bytes) -> None:
        """As Kubernetes does with a ConfigMap: a link to a folder is replaced."""
        self._clear(keep_file=True)
        folder = self.path.parent / f"version-{self.version}"
        folder.mkdir(exist_ok=True)
        (folder / self.path.name).write_bytes(text)
        link = self.path.with_suffix(".link")
        link.symlink_to(folder / self.path.name)
        link.replace(self.path)

    def _clear(self, *, keep_file: bool = False) -> None:
        if self.path.is_dir():
            shutil.rmtree(self.path)
        elif not keep_file:
            self.path.unlink(missing_ok=True)


def _cut_short(path: Path, text: str, chance: random.Random) -> None:
    path.write_text(text[: text.index("watch:") + chance.randrange(1, 6)])


def _without_mode(path: Path, text: str, _: random.Random) -> None:
    path.write_text(text)
    path.chmod(0)  # read all the same where the tests run as root
    path.write_text("")


_BROKEN: dict[str, Callable[[Path, str, random.Random], object]] = {
    "cut short": _cut_short,
    "empty": lambda path, _text, _chance: path.write_text(""),
    "a tab": lambda path, text, _: path.write_text(text.replace("watch:", "\twatch:")),
    "a key twice": lambda path, text, _: path.write_text(f"{text}watch: []\n"),
    "a wrong type": lambda path, text, _: path.write_text(text.replace("watch:", "poll: {every: [60]}\nwatch:")),
    "an unknown key": lambda path, text, _: path.write_text(f"{text}wacht: [4]\n"),
    "a target that is none": lambda path, text, _: path.write_text(text.replace("json://", "jsonn://")),
    "a bomb of aliases": lambda path, text, _: path.write_text(BOMB + text),
    "deep": lambda path, text, _: path.write_text(text + "x: " + "[" * 5000),
    "50 MB": lambda path, text, _: path.write_bytes(text.encode() + b"#" * 50_000_000),
    "binary": lambda path, _text, chance: path.write_bytes(chance.randbytes(3000)),
    "nul": lambda path, text, _: path.write_text(text.replace("watch", "wa\0tch")),
    "not UTF-8": lambda path, text, _: path.write_bytes(text.encode() + b"# \xff\xfe\n"),
    "unreadable": _without_mode,
    "a folder": lambda path, _text, _chance: path.mkdir(),
    "gone": lambda _path, _text, _chance: None,
    "a link to nothing": lambda path, _text, _chance: path.symlink_to("nothing"),
    "a link to itself": lambda path, _text, _chance: path.symlink_to(path),
}
