"""The examples: the step of GitHub Actions is run, the sensor for Airflow is compared with the client."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gemwatch import client
from gemwatch.core.settings import WebSettings
from support.daemon import environment
from support.filled import fill
from support.web import served_in_a_thread, store_in

EXAMPLES = Path(__file__).parents[2] / "examples"
TOKEN = "a-token-for-the-web-9f31"


@pytest.mark.parametrize(("job_ids", "code", "outcome"), [("5", 0, "success"), (f"5 {2**63 - 1}", 1, "failed")])
def test_step_of_github_actions_reports_how_jobs_ended(tmp_path: Path, job_ids: str, code: int, outcome: str) -> None:
    action = yaml.safe_load((EXAMPLES / "github-actions/action.yml").read_text())
    (step,) = (one for one in action["runs"]["steps"] if one.get("id") == "wait")
    installed = tmp_path / "gemwatch/bin/gemwatch"
    installed.parent.mkdir(parents=True)
    installed.write_text(f'#!/bin/sh\nexec {sys.executable} -m gemwatch "$@"\n')
    installed.chmod(0o755)
    store = store_in(tmp_path)
    fill(store)
    with served_in_a_thread(store, WebSettings(token=TOKEN)) as url:
        given = {
            "GEMWATCH_WEB_TOKEN": TOKEN,
            "JOB_IDS": job_ids,
            "URL": url,
            "TIMEOUT": "1m",
            "ALLOW_REVIEW": "false",
        }
        assert set(step["env"]) == set(given)
        runner = {"RUNNER_TEMP": tmp_path, "GITHUB_OUTPUT": tmp_path / "out", "GITHUB_STEP_SUMMARY": tmp_path / "sum"}
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
            cwd=tmp_path,
            env=environment(**given, **{name: str(path) for name, path in runner.items()}),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == code, done.stderr
    outputs = dict(line.split("=", 1) for line in (tmp_path / "out").read_text().splitlines())
    assert outputs["outcome"] == outcome
    assert json.loads(outputs["document"])["exit_code"] == code
    assert "| 5 | SUCCESS | success |" in (tmp_path / "sum").read_text()


def test_sensor_for_airflow_uses_what_the_client_has() -> None:
    tree = ast.parse((EXAMPLES / "airflow/gemwatch_sensor.py").read_text())
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "gemwatch.client"
        for alias in node.names
    }
    assert names
    assert names <= set(client.__all__)


def test_every_example_is_explained() -> None:
    folders = [path for path in EXAMPLES.iterdir() if path.is_dir()]
    text = (EXAMPLES / "README.md").read_text()
    assert [path.name for path in folders if f"{path.name}/README.md" not in text] == []
    assert all(os.access(path / "README.md", os.R_OK) for path in folders)
