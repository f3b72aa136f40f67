"""Puts the pages of the documentation site together: `python -m release.site FOLDER`, then mkdocs (see Makefile).

The pages stay where they are in the repository, and their links work there. Links to files that are no pages lead to
copies of them in the site.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from release import reference

ROOT = Path(__file__).parents[1]
_PATTERNS = (
    "README.md",
    "C*.md",
    "SECURITY.md",
    "docs/*.md",
    "docs/*/*.md",
    "systemd/*.md",
    "examples/*.md",
    "examples/*/*.md",
)
_LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]*)?\)")
_FENCE = re.compile(r"^ *```")


def assemble(folder: Path) -> None:
    """Write all pages, pictures and linked files to the folder, which is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    sources = sorted({path for pattern in _PATTERNS for path in ROOT.glob(pattern)})
    names = {path: _name(path) for path in sources}
    for path, name in names.items():
        _write(folder / name, _linked(_indented(path.read_text()), path, names, folder))
    for page, text in reference.pages().items():
        _write(folder / "reference" / page, text)
    shutil.copyfile(ROOT / "release/site.css", folder / "site.css")


def _name(path: Path) -> Path:
    return Path("index.md") if path == ROOT / "README.md" else path.relative_to(ROOT)


def _linked(text: str, path: Path, names: dict[Path, Path], folder: Path) -> str:
    """The page with links as they are in the site."""

    def link(match: re.Match[str]) -> str:
        target: Path = (path.parent / match[2]).resolve()
        if target.is_dir():
            target = target / "README.md" if (target / "README.md").exists() else target
        name = names.get(target, target.relative_to(ROOT))
        if target not in names:
            if name.suffix != ".png":
                name = Path(f"files/{name}.txt")  # a script or a module is shown as text, not run
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if target.is_file():
                shutil.copyfile(target, folder / name)
            else:
                (folder / name).write_text("\n".join(sorted(one.name for one in target.iterdir())))
        return f"{match[1]}{os.path.relpath(name, names[path].parent)}{match[3] or ''})"

    return _LINK.sub(link, text)


def _indented(text: str) -> str:
    """Blocks in lists indented by four spaces: the forge accepts fewer, the site's Markdown does not."""
    lines, item, inside = [], 0, False
    for line in text.splitlines():
        if not inside and (marker := re.match(r"(\d+\. |- )", line)):
            item = len(marker[1])
        elif not inside and line and not line.startswith(" "):
            item = 0
        deeper = item and line.startswith(" " * item)
        lines.append(" " * (4 - item) + line if deeper else line)
        if _FENCE.match(line):
            inside = not inside
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    assemble(Path(sys.argv[1]))
