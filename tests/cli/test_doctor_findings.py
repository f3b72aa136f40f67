"""Findings of `gemwatch doctor` that no test can cause on a real installation, and the same warnings of `run`."""

from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from gemwatch import __version__
from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.tables import service
from gemwatch.cli.doctor.store import findings as store_findings
from gemwatch.cli.doctor.targets import findings as target_findings
from gemwatch.cli.run import opened
from gemwatch.core.events import Target
from gemwatch.core.text.context import NOWHERE


def mount_list(folder: Path, kind: str) -> Path:
    """A list of mounts, as the kernel writes it, in which the folder is on that file system."""
    mounts = folder / "mountinfo"
    mounts.write_text(f"22 1 8:1 / / rw - ext4 /dev/sda1 rw\n36 22 0:32 / {folder} rw - {kind} host:/share rw\n")
    return mounts


@pytest.mark.parametrize(("kind", "warned"), [("nfs4", True), ("cifs", True), ("9p", True), ("xfs", False)])
def test_network_file_system_of_the_store_is_a_warning(tmp_path: Path, kind: str, *, warned: bool) -> None:
    found = list(store_findings(tmp_path / "gemwatch.db", NOWHERE, mount_list(tmp_path, kind)))
    said = [one.found for one in found if one.name == "file system"]
    assert said == ([f"{tmp_path} is on {kind}"] if warned else [])


def test_start_on_a_network_file_system_is_a_warning(tmp_path: Path) -> None:
    with structlog.testing.capture_logs() as logged, opened(tmp_path / "gemwatch.db", mount_list(tmp_path, "nfs4")):
        pass
    (line,) = (line for line in logged if line["event"] == "store_on_network_filesystem")
    assert (line["log_level"], line["reason"]) == ("warning", "nfs4")
    with structlog.testing.capture_logs() as logged, opened(tmp_path / "gemwatch.db", mount_list(tmp_path, "ext4")):
        pass
    assert "store_on_network_filesystem" not in {line["event"] for line in logged}


def test_doctor_names_a_daemon_of_another_version(tmp_path: Path) -> None:
    path = tmp_path / "gemwatch.db"
    with opened(path):  # as a daemon holds it
        for version, warned in (("0.0.1", True), (__version__, False)):
            engine = open_to_write(path)
            with engine.begin() as connection:
                connection.execute(sa.delete(service).where(service.c.name == "version"))
                connection.execute(sa.insert(service).values(name="version", value=version))
            engine.dispose()
            found = [one for one in store_findings(path, NOWHERE) if one.found.startswith("the daemon that runs is")]
            assert [f"gemwatch {version}," in one.found for one in found] == [True] * warned


@pytest.mark.parametrize(
    ("url", "found", "remedy"),
    [
        (
            "mailtos://me:a-password@smtp.office365.com?from=me@example.com&to=a@example.com",
            "Exchange Online no longer accepts passwords for SMTP",
            "azure://",
        ),
        (
            "mailtos://me:a-password@smtp.gmail.com?from=me@example.com&to=a@example.com",
            "Google does not accept account passwords here",
            "app password",
        ),
        ("json://127.0.0.1/a", "can be read by Apprise", ""),
    ],
)
def test_target_that_its_service_will_refuse_has_a_remedy(url: str, found: str, remedy: str) -> None:
    (one,) = target_findings([Target(name="team", url=url)], online=False)
    assert one.found == found
    assert remedy in (one.remedy or "")
