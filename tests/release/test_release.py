"""What can be checked of a release without making one."""

import re
import tarfile
import tomllib
from pathlib import Path

import pytest
import yaml

from release.__main__ import AFTER, GATES
from release.checks import MAN_PAGES, check_sdist, hash_of, write_sums
from release.deb import ARCHITECTURES, PYTHONS
from release.source import name_urls, version
from release.steps import ReleaseError

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_gates_are_targets_of_the_makefile() -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert [command for command, _ in (*GATES, *AFTER) if command.removeprefix("make ") not in targets] == []


def test_version_is_written_in_one_place() -> None:
    assert version(ROOT) == PROJECT["version"]
    sources = [
        *(ROOT / "daemon").rglob("*.py"),
        *(ROOT / "release").rglob("*"),
        ROOT / "Dockerfile",
        ROOT / "Makefile",
    ]
    assert [str(path) for path in sources if path.is_file() and PROJECT["version"] in path.read_text("latin-1")] == []
    kustomization = yaml.safe_load((ROOT / "docs/kubernetes/kustomization.yaml").read_text())
    assert kustomization["images"][0]["newTag"] == PROJECT["version"]
    assert PROJECT["version"] in (ROOT / "CHANGELOG.md").read_text()


def sdist(folder: Path, *names: str) -> Path:
    path = folder / "gemwatch.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.add(ROOT / "LICENSE", f"gemwatch-1/{name}")
    return path


def test_sdist_has_all_files_and_no_others(tmp_path: Path) -> None:
    always = (*MAN_PAGES, "PKG-INFO")
    check_sdist(sdist(tmp_path, "a", *always), {"a"})
    with pytest.raises(ReleaseError, match="lacks b"):
        check_sdist(sdist(tmp_path, "a", *always), {"a", "b"})
    with pytest.raises(ReleaseError, match="holds secret"):
        check_sdist(sdist(tmp_path, "a", "secret", *always), {"a"})
    with pytest.raises(ReleaseError, match=r"gemwatch\.1"):
        check_sdist(sdist(tmp_path, "a", "PKG-INFO"), {"a"})


def test_sums_name_every_file(tmp_path: Path) -> None:
    (tmp_path / "b.whl").write_text("b")
    (tmp_path / "a.whl").write_text("a")
    write_sums(tmp_path)
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert lines == [f"{hash_of(tmp_path / name)}  {name}" for name in ("a.whl", "b.whl")]


def test_debian_packages_are_for_supported_pythons() -> None:
    supported = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if "Python :: 3." in line}
    assert set(PYTHONS.values()) <= supported
    assert set(ARCHITECTURES) == {"amd64", "arm64"}


def test_readme_of_a_published_package_has_absolute_links(tmp_path: Path) -> None:
    for name in ("README.md", "pyproject.toml"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    name_urls(tmp_path, "https://forge.example.com/team/gemwatch")
    readme = (tmp_path / "README.md").read_text()
    links = re.findall(r"\]\(([^)\s]+)\)", readme)
    assert len(links) > 20
    assert [link for link in links if not link.startswith(("https://", "http://", "#"))] == []
    where = f"https://forge.example.com/team/gemwatch/blob/v{PROJECT['version']}"
    assert f"{where}/docs/wait.md" in links
    assert f"{where.replace('/blob/', '/raw/')}/docs/page.png" in links
    urls = tomllib.loads((tmp_path / "pyproject.toml").read_text())["project"]["urls"]
    assert urls["Source"] == "https://forge.example.com/team/gemwatch"
    with pytest.raises(ReleaseError):
        name_urls(tmp_path, "forge.example.com")
