"""Runs every gate, builds all packages into dist/ and shows what to push: `make release`.

    python -m release [--list-gates] [--skip-gates] [--debian 12,13] [--program PYTHON]

Everything is built from the last commit, never from the working tree. Wheel and sdist are built twice, in different
folders and with different settings, and have to be the same byte for byte.

REPOSITORY_URL is where the project is published. Without it, the packages name no URL.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from release import deb, source, wheels
from release.checks import check_sdist, hash_of, write_sums
from release.steps import ReleaseError, run, step

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
GATES = (
    ("make test", "format, lint, types, imports, every test"),
    ("make torture", "kills, reloads and odd inputs"),
    ("make matrix", "the oldest and newest dependencies on each installed Python"),
    ("make docs", "the documentation site, with warnings as errors"),
    ("make audit", "known vulnerabilities of what a release installs"),
)
AFTER = (("make deb-test", "the Debian packages: install, upgrade, remove, purge in clean roots"),)
TOOL = Path(sys.executable).parent


def main() -> None:
    options = _options()
    if options.list_gates:
        print("\n".join(f"{command:14} {about}" for command, about in (*GATES, *AFTER)))
        return
    if not options.skip_gates:
        for command, about in GATES:
            step(f"{command}: {about}")
            run(command.split(), cwd=ROOT)
    commit = source.last_commit(ROOT)
    DIST.mkdir(exist_ok=True)
    for old in DIST.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="gemwatch-release-") as folder:
        wheel, sdist = _build(Path(folder), commit, Path(options.program))
        step("contents: check-wheel-contents, twine check, the sdist against the commit")
        # W004, W102: the migrations come from another folder, and Alembic loads them by path.
        run([TOOL / "check-wheel-contents", "--package", ROOT / "daemon/gemwatch", "--ignore", "W004,W102", wheel])
        run([TOOL / "twine", "check", "--strict", wheel, sdist])
        check_sdist(sdist, source.files(ROOT))
        _sbom(Path(folder) / "first")
        for machine in deb.ARCHITECTURES.values():
            step(f"the image on {machine}: a wheel with a locked hash for every pin")
            wheels.check_image(Path(folder) / "first", machine)
        for release in options.debian.split(",") if options.debian else ():
            for architecture in deb.ARCHITECTURES:
                step(f"Debian {release}, {architecture}")
                deb.build(
                    tree=Path(folder) / "first",
                    wheel=wheel,
                    out=DIST,
                    debian=release,
                    architecture=architecture,
                    commit=commit,
                    program=Path(options.program),
                )
    if not options.skip_gates:
        for command, about in AFTER:
            step(f"{command}: {about}")
            run(command.split(), cwd=ROOT)
    write_sums(DIST)
    _show_what_to_push(commit, skipped=options.skip_gates)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m release")
    parser.add_argument("--list-gates", action="store_true")
    parser.add_argument("--skip-gates", action="store_true")
    parser.add_argument("--debian", default="12,13", help="the releases of Debian to build for, '' for none")
    parser.add_argument("--program", default=str(ROOT / ".venv/bin/python"), help="a Python with gemwatch installed")
    return parser.parse_args()


def _build(folder: Path, commit: source.Commit, program: Path) -> tuple[Path, Path]:
    """Wheel and sdist, built twice and compared."""
    hashes = []
    for name, more, mask in (("first", {}, 0o022), ("second", {"TZ": "Asia/Tokyo", "LC_ALL": "C"}, 0o077)):
        step(f"wheel and sdist, {name} build")
        os.umask(mask)
        tree = source.export(ROOT, folder / name, commit)
        os.umask(0o022)
        environment = {**os.environ, **more, "SOURCE_DATE_EPOCH": str(commit.seconds)}
        run([program, "-m", "release.man", "docs/man"], cwd=tree, env={**environment, "PYTHONPATH": str(tree)})
        out = folder / f"{name}-out"
        run(
            [TOOL / "python", "-m", "build", "--no-isolation", "--outdir", out], cwd=tree, env=environment, quiet=True
        )
        hashes.append({one.name: hash_of(one) for one in sorted(out.iterdir())})
    if hashes[0] != hashes[1]:
        raise ReleaseError(f"two builds differ: {hashes}")
    for name, digest in hashes[0].items():
        (DIST / name).write_bytes((folder / "first-out" / name).read_bytes())
        print(f"  {digest[:16]} twice: {name}")
    (wheel,), (sdist,) = DIST.glob("*.whl"), DIST.glob("*.tar.gz")
    return wheel, sdist


def _sbom(tree: Path) -> None:
    step("SBOM: dist/gemwatch.cdx.json")
    command: list[str | Path] = [
        TOOL / "cyclonedx-py",
        "requirements",
        "requirements.lock",
        "--pyproject",
        "pyproject.toml",
    ]
    command += ["--mc-type", "application", "--output-reproducible", "--output-format", "JSON"]
    run([*command, "--output-file", DIST / "gemwatch.cdx.json"], cwd=tree)


def _show_what_to_push(commit: source.Commit, *, skipped: bool) -> None:
    version = source.version(ROOT)
    print(f"\ndist/ holds gemwatch {version}, made of commit {commit.id[:12]}:")
    for line in (DIST / "SHA256SUMS").read_text().splitlines():
        print(f"  {line}")
    left = []
    if skipped:
        left.append("run the gates, which were skipped: make release")
    if not re.search(rf"^## {re.escape(version)} \(\d", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE):
        left.append(f'give the section of CHANGELOG.md its date: "## {version} (2026-...)"')
    if not os.environ.get("REPOSITORY_URL"):
        left.append(
            "set REPOSITORY_URL: without it the packages name no project URL, and links in the README are relative"
        )
    if left:
        print("\nBefore you push:\n" + "\n".join(f"  - {one}" for one in left))
    print(f"\nThe release workflow publishes what this pushes:\n  git tag -s v{version} {commit.id[:12]}")
    print(f"  git push origin main v{version}")


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        sys.exit(f"release: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(f"release: failed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}")
