"""Builds a Debian package with nfpm: a virtual environment of hash-checked wheels, the unit, the manual pages.

The environment is put together by hand for the target's Python, so that one machine builds for every Debian and
architecture, and no package's own code runs.
"""

import gzip
import os
import shutil
import sys
from pathlib import Path

from release import source, wheels
from release.steps import ReleaseError, run

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
PYTHONS = {"12": "3.11", "13": "3.13"}  # of each Debian
_HOME = Path("usr/lib/gemwatch")
_TOOL = Path(sys.executable).parent
_SHELLS = {
    "bash": "usr/share/bash-completion/completions/gemwatch",
    "zsh": "usr/share/zsh/vendor-completions/_gemwatch",
    "fish": "usr/share/fish/vendor_completions.d/gemwatch.fish",
}
_START = """#!/usr/lib/gemwatch/bin/python3
import sys
from gemwatch.cli import main
sys.exit(main())
"""


def build(
    *,
    tree: Path,
    wheel: Path,
    out: Path,
    debian: str,
    architecture: str,
    commit: source.Commit,
    program: Path,
) -> None:
    """Write the package to `out`. `tree`: the exported sources, with the manual pages."""
    if debian not in PYTHONS:
        raise ReleaseError(f"there is no Debian {debian} here; known are {', '.join(PYTHONS)}")
    python, files = PYTHONS[debian], tree.parent / f"deb-{debian}-{architecture}"
    _environment(tree, wheel, files, python, architecture)
    _unit(tree, files)
    _pages(tree, files)
    _completions(files, program)
    for path in sorted(files.rglob("*"), reverse=True):
        if not path.is_symlink():
            os.utime(path, (commit.seconds, commit.seconds))
    major, minor = python.split(".")
    version = source.version(tree)
    variables = {
        "FILES": str(files),
        "ARCHITECTURE": architecture,
        "VERSION": version,
        "RELEASE": f"1~deb{debian}",
        "PYTHON": python,
        "NEXT_PYTHON": f"{major}.{int(minor) + 1}",
        "SOURCE_DATE_EPOCH": str(commit.seconds),
    }
    target = out / f"gemwatch_{version}-1~deb{debian}_{architecture}.deb"
    command: list[str | Path] = [
        _TOOL / "nfpm",
        "package",
        "--packager",
        "deb",
        "--config",
        "release/nfpm.yaml",
        "--target",
        target,
    ]
    run(command, cwd=tree, env={**os.environ, **variables}, quiet=True)
    shutil.rmtree(files)


def _environment(tree: Path, wheel: Path, files: Path, python: str, architecture: str) -> None:
    home = files / _HOME
    packages = home / f"lib/python{python}/site-packages"
    only = wheels.only(python, ARCHITECTURES[architecture])
    wheels.pip(
        "--no-compile", "--target", packages, *only, "--require-hashes", "-r", tree / "requirements-postgresql.lock"
    )
    wheels.pip("--no-compile", "--target", packages, *only, "--upgrade", wheel)
    shutil.rmtree(packages / "bin", ignore_errors=True)  # commands of libraries, made for this machine's Python
    (home / "bin").mkdir()
    for name, target in (("python3", f"/usr/bin/python{python}"), ("python", "python3")):
        (home / "bin" / name).symlink_to(target)
    (home / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n")
    (home / "bin/gemwatch").write_text(_START)
    (home / "bin/gemwatch").chmod(0o755)


def _unit(tree: Path, files: Path) -> None:
    unit = (tree / "systemd/gemwatch.service").read_text()
    if "/opt/gemwatch/" not in unit:
        raise ReleaseError("systemd/gemwatch.service: the path of the program is not the expected one")
    _write(files / "usr/lib/systemd/system/gemwatch.service", unit.replace("/opt/gemwatch/", "/usr/lib/gemwatch/"))
    _write(files / "usr/lib/sysusers.d/gemwatch.conf", (tree / "systemd/gemwatch.sysusers").read_text())
    _write(files / "etc/gemwatch/config.yaml", (tree / "systemd/config.yaml").read_text())


def _pages(tree: Path, files: Path) -> None:
    for name in ("gemwatch.1", "gemwatch.yaml.5"):
        page = files / f"usr/share/man/man{name[-1]}/{name}.gz"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_bytes(gzip.compress((tree / "docs/man" / name).read_bytes(), mtime=0))
    documents = files / "usr/share/doc/gemwatch"
    for name in ("README.md", "LICENSE", "config.example.yaml"):
        _write(documents / {"LICENSE": "copyright"}.get(name, name), (tree / name).read_text())
    (documents / "changelog.gz").write_bytes(gzip.compress((tree / "CHANGELOG.md").read_bytes(), mtime=0))


def _completions(files: Path, program: Path) -> None:
    """The scripts of typer, which ask the program for the words."""
    for shell, path in _SHELLS.items():
        (files / path).parent.mkdir(parents=True, exist_ok=True)
        code = "import sys; from typer.completion import get_completion_script as script; sys.stdout.write(script("
        code += f"prog_name='gemwatch', complete_var='_GEMWATCH_COMPLETE', shell='{shell}'))"
        run(["/bin/sh", "-c", '"$1" -c "$2" > "$3"', "sh", program, code, files / path])


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o644)
