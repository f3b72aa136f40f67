"""What fails, as `status` shows it."""

from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.tables import service, target_health
from support.clock import START
from support.daemon import Installation
from support.filled import add


def test_status_names_refused_configuration_and_targets_down(installation: Installation) -> None:
    installation.configure()
    place = installation.folder / "gemwatch.db"
    upgrade(place)
    config = {"reported": ["config.yaml: x"], "refused": True, "since": START.isoformat()}
    down = {"target": "team-slack", "failing_since": START, "down_since": START, "reason": "no_service"}
    fixed = {"probes": 1, "announced": True}
    add(place, (service, [{"name": "config", "value": config}]), (target_health, [{**down, **fixed}]))
    done = installation.run("status")
    assert done.returncode == 0
    refused, target = (line for line in done.stderr.splitlines() if "Since" in line)
    assert "saved configuration has mistakes" in refused
    said = "the target does not accept messages. Reason: no_service. Since 1 Mar 12:00."
    assert target.startswith(f"gemwatch: team-slack: {said}")
    assert f"gemwatch --config {installation.config} test-notify team-slack" in done.stderr
