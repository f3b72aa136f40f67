"""The workflows of the forge: what can be checked without it."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
DIGEST = f"sha256:{'5' * 64}"


def jobs(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())["jobs"]
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_actions_are_pinned_by_commit(file: Path) -> None:
    used = re.findall(r"uses: *(.*)", file.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\./\.github/workflows/tests\.yml", action)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_workflows_may_only_read_unless_a_job_says_more(file: Path) -> None:
    text = file.read_text()
    assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in text
    for steps in (job.get("steps", []) for job in jobs(file).values()):
        checkouts = [step for step in steps if "actions/checkout@" in step.get("uses", "")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)
        # A value that others choose, put into a script, would be run as a part of it.
        assert not [step["run"] for step in steps if "${{" in step.get("run", "")]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_workflows_run_what_exists(file: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    commands = [step["run"] for job in jobs(file).values() for step in job.get("steps", []) if "run" in step]
    text = "\n".join(commands)
    assert all(
        re.search(rf"^{target}:", makefile, re.MULTILINE) for target in re.findall(r"^make (\w+)", text, re.MULTILINE)
    )
    assert all(os.access(ROOT / script, os.X_OK) for script in re.findall(r"\.ci/[\w-]+", text))
    assert all((ROOT / lock).exists() for lock in re.findall(r"requirements[\w-]*\.lock", text))


def test_workflow_tests_each_supported_python() -> None:
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    assert jobs(ROOT / ".github/workflows/tests.yml")["tests"]["strategy"]["matrix"]["python"] == supported


@pytest.mark.parametrize(("answer", "pinned"), [(DIGEST, True), ("", False), ("sha256:5", False)])
def test_release_adds_the_digest_of_the_base(tmp_path: Path, answer: str, pinned: bool) -> None:  # noqa: FBT001
    """With a `docker` that knows one answer, since no registry is reachable from a test."""
    before = (ROOT / "Dockerfile").read_text()
    (tmp_path / "Dockerfile").write_text(before)
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "{answer}"\n')
    docker.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run([ROOT / ".ci/pin-base", tmp_path], env=env, capture_output=True, check=False)
    tag = re.search(r"^FROM (python:\S+) AS base$", before, re.MULTILINE)
    assert tag is not None
    assert (tmp_path / "asked").read_text().startswith(f"buildx imagetools inspect {tag[1]} ")
    expected = before.replace(tag[1], f"{tag[1]}@{DIGEST}", 1) if pinned else before
    assert ((done.returncode == 0), (tmp_path / "Dockerfile").read_text()) == (pinned, expected)
