"""The systemd unit: what it promises, judged by systemd's own tools where they are installed."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

from gemwatch.adapters.config.file import load
from gemwatch.cli.common import MISUSED
from support.tools import needs

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "systemd"
UNIT = FOLDER / "gemwatch.service"
LINES = UNIT.read_text().splitlines()
CREDENTIALS = "/run/credentials/gemwatch.service/secret_"

needs_systemd = needs("systemd")


def values(directive: str) -> list[str]:
    return [line.partition("=")[2] for line in LINES if line.startswith(f"{directive}=")]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=120, check=False)


@needs_systemd
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    here = Path(sys.executable).with_name("gemwatch")
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/gemwatch/bin/gemwatch", str(here)))
    done = analyze("verify", str(copy))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_unit_is_hardened() -> None:
    done = analyze("security", "--offline=true", "--threshold=15", "--no-pager", str(UNIT))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_systemd
def test_users_home_is_where_the_unit_keeps_the_login(tmp_path: Path) -> None:
    home = f"/var/lib/{values('StateDirectory')[0]}"
    done = subprocess.run(
        ["systemd-sysusers", "--dry-run", f"--root={tmp_path}", str(FOLDER / "gemwatch.sysusers")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    user = re.search(r'^u (\S+) - "[^"]+" (\S+)$', (FOLDER / "gemwatch.sysusers").read_text(), re.MULTILINE)
    assert user is not None
    assert user.groups() == (values("User")[0], home)
    assert values("WorkingDirectory") == [home]
    assert f"AZURE_CONFIG_DIR={home}/.azure" in values("Environment")


def test_every_hardening_line_has_its_reason() -> None:
    start = next(number for number, line in enumerate(LINES) if "Hardening" in line)
    end = LINES.index("[Install]")
    block = [line for line in LINES[start:end] if line]
    bare = [line for before, line in itertools.pairwise(block) if "=" in line and before[0] != "#" != line[0]]
    assert bare == []
    assert sum(line[0] != "#" for line in block) > 25


def test_unit_restarts_unless_the_configuration_is_refused() -> None:
    assert values("Restart") == ["on-failure"]
    assert values("RestartPreventExitStatus") == [str(MISUSED)]


def test_unit_has_type_notify() -> None:
    assert values("Type") == ["notify"]
    assert values("ExecReload") == ["/bin/kill -HUP $MAINPID"]
    assert values("WatchdogSec")


def test_sample_configuration_uses_the_units_secrets(tmp_path: Path) -> None:
    assert values("LoadCredential") == ["secret:/etc/gemwatch/secrets"]
    text = (FOLDER / "config.yaml").read_text()
    assert all(name.startswith(f"file:{CREDENTIALS}") for name in re.findall(r"\$\{([^}]*)\}", text))
    for name, secret in (("tomtom-api-key", "key"), ("slack-url", "json://127.0.0.1:9/x")):
        (tmp_path / f"secret_{name}").write_text(f"{secret}\n")
    config = tmp_path / "config.yaml"
    config.write_text(text.replace(CREDENTIALS, f"{tmp_path}/secret_"))
    loaded = load(config, {}, url_problem=lambda _: None)
    assert loaded.problems == ()
    assert loaded.settings is not None
    assert loaded.settings.api.key == "key"
    assert loaded.settings.store.place == Path("/var/lib/gemwatch/gemwatch.db")


def test_the_readme_installs_what_the_unit_names() -> None:
    readme = (FOLDER / "README.md").read_text()
    program, _, arguments = values("ExecStart")[0].partition(" ")
    assert f"python3 -m venv {Path(program).parents[1]} " in readme
    assert arguments == "run --config /etc/gemwatch/config.yaml"
    for file in FOLDER.iterdir():
        assert file.name == "README.md" or f"systemd/{file.name}" in readme


def test_words_of_a_failed_start_are_warnings() -> None:
    # What a program prints without a priority gets this one. With the default, `journalctl -p warning` hides it.
    assert values("SyslogLevel") == ["warning"]
