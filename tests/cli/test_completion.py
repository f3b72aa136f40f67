"""What a shell completes, as it asks for it."""

import pytest

from gemwatch.adapters.store.schema import upgrade
from support.daemon import Installation, run_gemwatch
from support.filled import fill


@pytest.fixture
def filled(installation: Installation) -> Installation:
    notify = {"team-slack": {"url": "json://127.0.0.1"}, "team-mail": {"url": "json://127.0.0.1"}}
    installation.configure(notify=notify, api={**installation.document["api"], "key": "${NOT_SET}"})
    place = installation.folder / "gemwatch.db"
    upgrade(place)
    fill(place)
    return installation


def completed(installation: Installation, line: str) -> str:
    words = f"gemwatch --config {installation.config} {line}"
    done = run_gemwatch(_GEMWATCH_COMPLETE="complete_zsh", _TYPER_COMPLETE_ARGS=words)
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("command", ["status", "history", "wait", "estimate", "unwatch"])
def test_job_ids_complete_from_the_store(filled: Installation, command: str) -> None:
    found = completed(filled, f"{command} ")
    assert '"2":"Weekly NL REQUESTED"' in found
    assert ("9223372036854775807" in found) == (command != "wait")
    assert "9223372036854775807" not in completed(filled, f"{command} 2")


def test_targets_complete_from_the_configuration(filled: Installation) -> None:
    found = completed(filled, "test-notify team-s")
    assert "team-slack" in found
    assert "team-mail" not in found


def test_delivery_ids_complete_from_the_store(filled: Installation) -> None:
    shown, retried = (completed(filled, f"deliveries {command} ") for command in ("show", "retry"))
    rows = filled.json("deliveries")
    assert {row["state"] for row in rows} > {"failed"}
    for row in rows:
        words = f'"{row["id"]}":"{row["kind"]} to {row["target"]}, {row["state"]}"'
        assert words in shown
        assert (words in retried) == (row["state"] == "failed")
        assert f'"{row["event"]}":"{row["kind"]}"' in shown
    assert "gw-" not in retried


def test_names_and_statuses_complete(filled: Installation) -> None:
    assert "Weekly NL" in completed(filled, "status --name W")
    assert "SUCCESS" in completed(filled, "status --status S")


def test_completion_without_a_store_or_configuration_is_silent(installation: Installation) -> None:
    assert "job" not in completed(installation, "status ").lower()
    installation.config.write_text("watch: [")
    assert "job" not in completed(installation, "history ").lower()
