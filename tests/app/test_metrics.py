"""Metrics as Prometheus reads them."""

import math
from datetime import UTC, datetime

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gemwatch.adapters.store.databases.postgresql import Upkeep
from gemwatch.app.metrics import Gauges, Metrics

AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)

CONTRACT = {
    "gemwatch_polls_total",
    "gemwatch_poll_seconds_bucket",
    "gemwatch_poll_lateness_seconds_bucket",
    "gemwatch_jobs",
    "gemwatch_transitions_total",
    "gemwatch_deliveries_total",
    "gemwatch_deliveries_pending",
    "gemwatch_replicas",
    "gemwatch_target_up",
    "gemwatch_delivery_oldest_pending_seconds",
    "gemwatch_last_good_answer_timestamp_seconds",
    "gemwatch_token_expiry_timestamp_seconds",
    "gemwatch_config_last_reload_successful",
    "gemwatch_config_last_reload_success_timestamp_seconds",
    "gemwatch_build_info",
}
BEYOND = {
    "gemwatch_job_events_total",
    "gemwatch_sweeps_total",
    "gemwatch_web_login_failures_total",
    "gemwatch_store_repeats_total",
}


class Scrape:
    def __init__(self, metrics: Metrics, snapshot: Gauges | None = None) -> None:
        text = metrics.render(snapshot or Gauges()).decode()
        self.samples = [s for family in text_string_to_metric_families(text) for s in family.samples]

    def names(self) -> set[str]:
        return {s.name for s in self.samples}

    def value(self, name: str, **labels: str) -> float:
        (value,) = [s.value for s in self.samples if s.name == name and s.labels == labels]
        return float(value)

    def by(self, label: str, name: str) -> dict[str, float]:
        return {s.labels[label]: s.value for s in self.samples if s.name == name}


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.2.3")


def test_every_metric_is_there_from_the_start(metrics: Metrics) -> None:
    metrics.targets(["team-slack"])
    ours = {n for n in Scrape(metrics).names() if n.startswith("gemwatch_")}
    histograms = {"gemwatch_poll_seconds", "gemwatch_poll_lateness_seconds"}
    assert ours == CONTRACT | BEYOND | {f"{name}_{part}" for name in histograms for part in ("count", "sum")}


def test_follower_shows_only_what_describes_itself(metrics: Metrics) -> None:
    metrics.targets(["team"])
    groups = {("release", None): 1}
    leader = Scrape(metrics, Gauges(replicas=2, groups=groups))
    follower = Scrape(metrics, Gauges(replicas=2, groups=groups, leads=False))
    assert leader.names() - follower.names() == {
        "gemwatch_jobs",
        "gemwatch_group_jobs",
        "gemwatch_deliveries_pending",
        "gemwatch_delivery_oldest_pending_seconds",
        "gemwatch_target_up",
    }
    assert leader.value("gemwatch_replicas") == follower.value("gemwatch_replicas") == 2


def test_upkeep_of_postgresql_is_shown_by_the_leader(metrics: Metrics) -> None:
    upkeep = Upkeep(oldest_transaction=0.5, dead_rows=7, live_rows=9)
    leader, follower = (Scrape(metrics, Gauges(upkeep=upkeep, leads=leads)) for leads in (True, False))
    assert leader.value("gemwatch_store_oldest_transaction_seconds") == 0.5
    assert leader.value("gemwatch_store_dead_rows") == 7
    assert "gemwatch_store_dead_rows" not in follower.names()


def test_targets_of_the_configuration_are_up_or_down(metrics: Metrics) -> None:
    metrics.targets(["team", "mail"])
    down = Scrape(metrics, Gauges(targets_down={"mail", "gone"}))
    assert down.by("target", "gemwatch_target_up") == {"mail": 0, "team": 1}
    metrics.targets(["team"])
    assert Scrape(metrics).by("target", "gemwatch_target_up") == {"team": 1}


def test_memory_and_open_files_are_shown(metrics: Metrics) -> None:
    assert {"process_resident_memory_bytes", "process_open_fds"} <= Scrape(metrics).names()


def test_version_is_a_label(metrics: Metrics) -> None:
    assert Scrape(metrics).value("gemwatch_build_info", version="1.2.3") == 1


def test_two_registries_do_not_clash() -> None:
    assert Scrape(Metrics("1")).names() == Scrape(Metrics("2")).names()


def test_polls_are_counted_by_outcome_and_start_at_zero(metrics: Metrics) -> None:
    metrics.poll("seen", 0.2)
    metrics.poll("seen", 0.3)
    metrics.poll("bad", 4.0)
    scrape = Scrape(metrics)
    assert scrape.by("outcome", "gemwatch_polls_total") == {
        "seen": 2, "not_found": 0, "refused": 0, "throttled": 0, "failed": 0, "bad": 1,
    }  # fmt: skip
    assert scrape.value("gemwatch_poll_seconds_count") == 3
    assert scrape.value("gemwatch_poll_seconds_sum") == pytest.approx(4.5)


def test_clock_set_back_gives_no_negative_lateness(metrics: Metrics) -> None:
    metrics.lateness(-3600)
    metrics.lateness(2)
    scrape = Scrape(metrics)
    assert scrape.value("gemwatch_poll_lateness_seconds_sum") == 2
    assert scrape.value("gemwatch_poll_lateness_seconds_count") == 2


def test_labels_stay_the_same_for_any_status(metrics: Metrics) -> None:
    before = Scrape(metrics)
    for number in range(100):
        metrics.transition(f"NEW_{number}")
    metrics.transition("SUCCESS")
    scrape = Scrape(metrics, Gauges(jobs={None: 4, "SUCCESS": 3, "unseen": 1, **{f"NEW_{n}": 1 for n in range(9)}}))
    assert len(scrape.samples) == len(before.samples)
    assert scrape.by("to", "gemwatch_transitions_total") == {
        "REQUESTED": 0, "IN_PROGRESS": 0, "FAILED": 0, "SUCCESS": 1, "other": 100,
    }  # fmt: skip
    assert scrape.by("status", "gemwatch_jobs") == {
        "REQUESTED": 0, "IN_PROGRESS": 0, "FAILED": 0, "SUCCESS": 3, "unseen": 4, "other": 10,
    }  # fmt: skip


def test_removed_jobs_are_no_longer_counted(metrics: Metrics) -> None:
    Scrape(metrics, Gauges(jobs={"SUCCESS": 3}))
    assert Scrape(metrics, Gauges()).value("gemwatch_jobs", status="SUCCESS") == 0


def test_target_is_shown_before_its_first_delivery(metrics: Metrics) -> None:
    metrics.targets(["team-slack"])
    metrics.delivery('odd "name"\n', "retried")
    metrics.delivery('odd "name"\n', "sent")
    scrape = Scrape(metrics)
    total = "gemwatch_deliveries_total"
    assert [scrape.value(total, target="team-slack", outcome=o) for o in ("sent", "retried", "failed")] == [0, 0, 0]
    assert [scrape.value(total, target='odd "name"\n', outcome=o) for o in ("sent", "retried", "failed")] == [1, 1, 0]


def test_unknown_outcome_is_an_error(metrics: Metrics) -> None:
    with pytest.raises(KeyError):
        metrics.poll("sene", 1.0)
    with pytest.raises(KeyError):
        metrics.delivery("team-slack", "snet")


def test_refused_reload_keeps_the_time_of_the_last_success(metrics: Metrics) -> None:
    ok, at = "gemwatch_config_last_reload_successful", "gemwatch_config_last_reload_success_timestamp_seconds"
    metrics.reload(ok=True, at=AT)
    assert (Scrape(metrics).value(ok), Scrape(metrics).value(at)) == (1, AT.timestamp())
    metrics.reload(ok=False, at=AT.replace(hour=13))
    assert (Scrape(metrics).value(ok), Scrape(metrics).value(at)) == (0, AT.timestamp())


def test_gauges_show_the_snapshot(metrics: Metrics) -> None:
    snapshot = Gauges(deliveries_pending=7, oldest_pending_seconds=90.5, last_good_at=AT, token_expires_at=AT)
    scrape = Scrape(metrics, snapshot)
    assert scrape.value("gemwatch_deliveries_pending") == 7
    assert scrape.value("gemwatch_delivery_oldest_pending_seconds") == 90.5
    assert scrape.value("gemwatch_last_good_answer_timestamp_seconds") == AT.timestamp()
    assert scrape.value("gemwatch_token_expiry_timestamp_seconds") == AT.timestamp()


def test_no_answer_is_zero_and_unknown_expiry_is_nan(metrics: Metrics) -> None:
    scrape = Scrape(metrics)
    assert scrape.value("gemwatch_last_good_answer_timestamp_seconds") == 0
    assert math.isnan(scrape.value("gemwatch_token_expiry_timestamp_seconds"))


def test_jobs_of_open_groups_are_counted_by_status(metrics: Metrics) -> None:
    counted = Gauges(
        groups={("weekly", "SUCCESS"): 2, ("weekly", "ODD"): 1, ("weekly", "ODDER"): 1, ("daily", None): 3}
    )
    scrape = Scrape(metrics, counted)
    assert scrape.value("gemwatch_group_jobs", group="weekly", status="SUCCESS") == 2
    assert scrape.value("gemwatch_group_jobs", group="weekly", status="other") == 2
    assert scrape.value("gemwatch_group_jobs", group="weekly", status="FAILED") == 0
    assert scrape.value("gemwatch_group_jobs", group="daily", status="unseen") == 3
    assert "gemwatch_group_jobs" not in Scrape(metrics, Gauges()).names()
