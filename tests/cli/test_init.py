"""`gemwatch init`: a file without secrets that `check` accepts, and hints that work as printed."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

from support.daemon import GEMWATCH, environment, run_gemwatch
from support.terminal import Terminal, plain

SECRETS = {"TOMTOM_API_KEY": "a-key-that-is-secret", "SLACK_URL": "json://127.0.0.1/secret-token"}


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return run_gemwatch(*arguments, folder=folder, **more)


def test_flags_write_a_file_that_check_accepts(tmp_path: Path) -> None:
    (tmp_path / "mail url").write_text("json://127.0.0.1/mail")
    options = ["--target", "team-slack=SLACK_URL", "--target", "data-mail=./mail url", "--watch", "5", "--watch", "5"]
    done = run(tmp_path, "init", *options, **SECRETS)
    assert done.returncode == 0, done.stderr
    written = tmp_path / "config.yaml"
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert not any(secret in written.read_text() + done.stdout for secret in SECRETS.values())
    document = yaml.safe_load(written.read_text())
    assert document["watch"] == [5]
    assert document["api"] == {"key": "${TOMTOM_API_KEY}"}
    checked = run(tmp_path, "check", **SECRETS)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "1 watch, 2 targets" in checked.stdout


def test_bare_init_writes_a_file_that_check_accepts(tmp_path: Path) -> None:
    assert run(tmp_path, "init").returncode == 0
    assert run(tmp_path, "check").returncode == 2
    assert run(tmp_path, "check", **SECRETS).returncode == 0


def test_init_never_overwrites_a_file(tmp_path: Path) -> None:
    for make in (lambda file: file.write_text("precious"), lambda file: file.symlink_to("nowhere")):
        file = tmp_path / "config.yaml"
        make(file)
        done = run(tmp_path, "init")
        assert done.returncode == 2
        assert "config.yaml exists, and is left as it is" in done.stderr
        assert file.is_symlink() or file.read_text() == "precious"
        assert not (tmp_path / "nowhere").exists()
        file.unlink()


@pytest.mark.parametrize(
    "options",
    [
        ["--key-env", "k-1f3c9:x"],
        ["--key-env", "Ab3dEf6hIj9kLm2nOp5q"],
        ["--target", "x=slack://T/B/C"],
        ["--target", "=A"],
    ],
)
def test_secret_given_by_mistake_is_refused_and_not_repeated(tmp_path: Path, options: list[str]) -> None:
    done = run(tmp_path, "init", *options)
    if "slack" in options[1]:  # it has a / in it, as a path: it is written as one, and leads nowhere
        assert "slack" not in done.stderr
        return
    assert done.returncode == 2
    assert options[1] not in done.stderr
    assert not (tmp_path / "config.yaml").exists()


def test_init_asks_on_a_terminal(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    with Terminal([*GEMWATCH, "init", "--config", str(config)], environment(**SECRETS)) as terminal:
        terminal.until(r"TomTom API key.*: ")
        terminal.keys("\n")
        terminal.until(r"GEM token.*: ")
        terminal.keys("token.txt\n")
        terminal.until(r"Write az, or a path.*\nGEM token.*: ")
        terminal.keys("\n")
        terminal.until(r"Target for messages.*: ")
        terminal.keys("team-slack\n")
        terminal.until(r"Apprise URL.*: ")
        terminal.keys("SLACK_URL\n")
        terminal.until(r"Another target.*: ")
        terminal.keys("\n")
        terminal.until(r"Job ids.*: ")
        terminal.keys("12 x\n")
        terminal.until(r'"x" is not a job id.*\nJob ids.*: ')
        terminal.keys("12 34\n")
        assert terminal.end() == 0
        assert all(len(line) <= 80 for line in plain(terminal.output).partition("Wrote ")[0].splitlines())
    document = yaml.safe_load(config.read_text())
    assert document["notify"] == {"team-slack": {"url": "${SLACK_URL}"}}
    assert document["watch"] == [12, 34]
    checked = run(tmp_path, "check", "--config", str(config), **SECRETS)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_interrupted_init_writes_nothing(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    with Terminal([*GEMWATCH, "init", "--config", str(config)], environment()) as terminal:
        terminal.until(r"TomTom API key.*: ")
        assert terminal.interrupt() in (1, 130)
        assert "Traceback" not in terminal.output
    assert not config.exists()


def test_hints_work_as_printed(tmp_path: Path) -> None:
    done = run(tmp_path, "init", "--target", "team-slack=SLACK_URL")
    lines = [line.strip() for line in done.stdout.partition("Next:\n")[2].splitlines()]
    assert lines[0].startswith("read -rs TOMTOM_API_KEY; export TOMTOM_API_KEY")
    steps = [line for line in lines if not line.startswith("az ")]
    script = "\n".join(line.replace(" --online", "") for line in steps if not line.endswith(" run"))
    shell = subprocess.run(
        ["bash", "-c", script.replace("test-notify", "test-notify nobody")],
        cwd=tmp_path, input="a-key\njson://127.0.0.1/x\n", capture_output=True, text=True, check=False,
        env=environment(),
    )  # fmt: skip
    assert "config.yaml: OK" in shell.stdout or "in order" in shell.stdout, shell.stderr
    assert "no target is called nobody" in shell.stderr
    assert any(line.endswith("-m gemwatch run") for line in steps)


def test_example_has_every_key(tmp_path: Path) -> None:
    done = run(tmp_path, "init", "--example")
    assert done.stdout == (Path(__file__).parents[2] / "config.example.yaml").read_text()
    assert not (tmp_path / "config.yaml").exists()


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="needs root and mounts of its own")
def test_system_file_is_for_root_and_the_service(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    shutil.copytree("/etc", etc, symlinks=True, ignore_dangling_symlinks=True)
    (etc / "gemwatch").mkdir(exist_ok=True)
    (etc / "gemwatch" / "config.yaml").unlink(missing_ok=True)
    groups = etc / "group"
    groups.write_text(groups.read_text() + "gemwatch:x:64321:\n")
    program = " ".join(GEMWATCH)
    line = f"mount --bind {etc} /etc && {program} init --config /etc/gemwatch/config.yaml --target team-slack"
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", line], capture_output=True, text=True, check=False, env=environment()
    )
    if "mount" in done.stderr:
        pytest.skip(f"no mounts here: {done.stderr}")
    assert done.returncode == 0, done.stderr
    found = (etc / "gemwatch" / "config.yaml").stat()
    assert (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) == (0o640, 0, 64321)
    document = yaml.safe_load((etc / "gemwatch" / "config.yaml").read_text())
    assert document["api"]["key"] == "${file:/run/credentials/gemwatch.service/secret_tomtom-api-key}"
    assert document["store"]["url"] == "sqlite:////var/lib/gemwatch/gemwatch.db"
    assert "cat > /etc/gemwatch/secrets/team-slack" in done.stdout
