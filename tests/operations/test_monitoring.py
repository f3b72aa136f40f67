"""What Prometheus and Grafana are given fits the metrics; judged by Prometheus' own tool where it is installed."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from gemwatch.adapters.store.databases.postgresql import Upkeep
from gemwatch.app.metrics import Gauges, Metrics
from support.tools import needs

FOLDER = Path(__file__).parents[2] / "docs/monitoring"
ALERTS, TESTS, README = (FOLDER / name for name in ("alerts.yaml", "alerts.test.yaml", "README.md"))
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "dashboard.json").read_text())
RULES = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [
    target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]
]
FROM_PROMETHEUS = {"job", "instance"}  # labels that a scrape adds

needs_promtool = needs("prometheus")


def scrape() -> str:
    metrics = Metrics("1.2.3")
    metrics.targets(["team"])
    upkeep = Upkeep(oldest_transaction=0.5, dead_rows=7, live_rows=9)
    return metrics.render(Gauges(upkeep=upkeep, groups={("release", "SUCCESS"): 1})).decode()


def labels_of_samples() -> dict[str, set[str]]:
    return {
        sample.name: set(sample.labels)
        for family in text_string_to_metric_families(scrape())
        for sample in family.samples
    }


def promtool(*arguments: str, stdin: str | None = None) -> tuple[int, str]:
    done = subprocess.run(
        ["promtool", *arguments],
        input=stdin,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


@needs_promtool
def test_prometheus_linter_accepts_the_metrics() -> None:
    assert promtool("check", "metrics", stdin=scrape()) == (0, "")


@needs_promtool
def test_alert_rules_are_valid_and_pass_their_tests() -> None:
    for command in (("check", "rules", str(ALERTS)), ("test", "rules", str(TESTS))):
        code, said = promtool(*command)
        assert code == 0, said


def test_every_alert_is_tested_firing_and_silent() -> None:
    firing, silent = set(), set()
    for case in yaml.safe_load(TESTS.read_text())["tests"]:
        for check in case["alert_rule_test"]:
            (firing if check.get("exp_alerts") else silent).add(check["alertname"])
    names = {rule["alert"] for rule in RULES}
    assert (firing, silent) == (names, names)


def test_every_alert_is_explained() -> None:
    explained = re.findall(r"^\| `(Gemwatch\w+)` \|", README.read_text(), re.MULTILINE)
    assert explained == [rule["alert"] for rule in RULES]


def test_rules_and_dashboard_use_metrics_and_labels_that_exist() -> None:
    known = labels_of_samples()
    for expression in EXPRESSIONS:
        for name, labels in used_in(expression):
            assert name in known, expression
            assert labels <= known[name] | FROM_PROMETHEUS, expression


def used_in(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric in an expression, with the labels that it is selected by. `up` is Prometheus' own."""
    for name, matchers in re.findall(r"\b((?:gemwatch|process)_\w+)(?:\{([^}]*)\})?", expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


def test_the_dashboard_shows_every_metric() -> None:
    shown = {name for expression in EXPRESSIONS[len(RULES) :] for name, _ in used_in(expression)}
    ours = {name for name in labels_of_samples() if name.startswith("gemwatch_")}
    histograms = ("_sum", "_count")  # of a histogram the buckets are shown
    assert {name for name in ours if not name.endswith(histograms)} <= shown


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_links_of_the_monitoring_page_exist() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README.read_text()):
        path, _, anchor = target.partition("#")
        headings = re.findall(r"^#+ (.+)$", (FOLDER / path).read_text(), re.MULTILINE)
        assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}
