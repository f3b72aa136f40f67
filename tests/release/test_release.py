"""What can be checked of a release without making one."""

import re
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

from release.__main__ import AFTER, GATES
from release.checks import MAN_PAGES, check_sdist, hash_of, write_sums
from release.deb import ARCHITECTURES, PYTHONS
from release.source import name_urls, version
from release.steps import ReleaseError
from release.wheels import check, image_python

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


def test_pin_without_a_wheel_for_a_processor_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a folder instead of a package index."""
    python = image_python(ROOT)
    short = f"cp{python.replace('.', '')}"
    wheel = tmp_path / f"some-1-{short}-{short}-manylinux_2_28_aarch64.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("some-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: some\nVersion: 1\n")
        archive.writestr("some-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\n")
        archive.writestr("some-1.dist-info/RECORD", "")
    lock = tmp_path / "some.lock"
    lock.write_text(f"some==1 --hash=sha256:{hash_of(wheel)}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    check(lock, python, "aarch64")
    assert sorted(tmp_path.iterdir()) == [wheel, lock]
    with pytest.raises(ReleaseError, match=rf"some\.lock, Python {python} on x86_64: .*some==1"):
        check(lock, python, "x86_64")
    lock.write_text(f"some==1 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(ReleaseError, match="aarch64"):
        check(lock, python, "aarch64")


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
