"""Where gemwatch looks for a configuration, and the message if there is none."""

from pathlib import Path

import pytest

from gemwatch.adapters.config.places import PLACES, NoConfigError, find


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_option_precedes_environment_precedes_folder() -> None:
    environ = {"GEMWATCH_CONFIG": "from-environment.yaml"}
    assert find(Path("x.yaml"), environ) == Path("x.yaml")
    assert find(None, environ) == Path("from-environment.yaml")
    Path("config.yaml").touch()
    assert find(None, {"GEMWATCH_CONFIG": ""}) == Path("config.yaml")


@pytest.mark.skipif(PLACES[1].exists(), reason="this machine has a configuration of its own")
def test_no_configuration_names_every_place_and_init(folder: Path) -> None:
    with pytest.raises(NoConfigError) as raised:
        find(None, {})
    assert str(raised.value).splitlines() == [
        "no configuration file found. Tried:",
        "  --config: not given",
        "  $GEMWATCH_CONFIG: not set",
        f"  {folder}/config.yaml: no such file",
        "  /etc/gemwatch/config.yaml: no such file",
        "Write one with: gemwatch init",
    ]
