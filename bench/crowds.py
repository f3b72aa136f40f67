"""Hostile and heavy use: while it lasts, polls are made on time, results are delivered, and /healthz answers.

Everything is compared with a quiet time of the same daemon just before.
"""

import itertools
import json
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.answers import World, answering
from bench.daemon import Installation, environment, jobs
from bench.figures import Figure
from bench.messages import one_end
from bench.processes import running, wait_for

_JOBS, _EVERY = 2_000, 5
_PROBES = 10  # of /healthz, over a stretch
_ENDS = 5  # jobs that end in a stretch
_ARRIVE = 3.0  # seconds until all clients have connected
CROWDS = (("scrapers", 24), ("scrapers", 100), ("silent", 300), ("viewers", 200))
_FILES, _BAD, _ROWS = 30_000, 100_000, 300_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What the daemon did in some seconds: polls per second, seconds from the answer with a job's end to the message
    (the longest), how many of the probes found it healthy, and the longest a probe took."""

    polls: float
    delivered: float
    healthy: int
    probed: float


def crowds(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """Clients of the web server."""
    with _polling(folder) as (world, daemon):
        seconds = _seconds(quick=quick)
        for kind, count in CROWDS:
            quiet = _stretch(world, daemon, seconds)
            with _clients(daemon, folder / f"{kind}.log", (kind, count)):
                busy = _stretch(world, daemon, seconds)
            answers = json.loads((folder / f"{kind}.log").read_text().splitlines()[-1])
            yield _figures(f"{count} {kind}", quiet, busy, f"answers: {answers}")


def rows(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """Scrapers and viewers of a store with a long past."""
    with answering(World()) as world:
        daemon = _installation(folder, world)
        with daemon.daemon():
            wait_for(lambda: not daemon.unseen(), "every job to be observed once", every=0.5)
        fill(folder / "daemon" / "gemwatch.db", _ROWS)
        with daemon.daemon():
            time.sleep(2 * _EVERY)
            seconds = _seconds(quick=quick)
            quiet = _stretch(world, daemon, seconds)
            with _clients(daemon, folder / "clients.log", ("scrapers", 24), ("viewers", 100)):
                busy = _stretch(world, daemon, seconds)
    yield _figures(f"store of {_ROWS} rows, 24 scrapers, 100 viewers", quiet, busy)


def files(folder: Path, quick: bool) -> Iterator[list[Figure]]:  # noqa: FBT001 (the shape of a part)
    """What a writer of watch files can do: too many files, and too many mistakes."""
    seconds = _seconds(quick=quick)
    with _polling(folder, watch_files="[watch.d/*.yaml]") as (world, daemon):
        quiet = _stretch(world, daemon, seconds)
        for part, write in ((f"{_FILES} watch files", _many_files), (f"{_BAD} bad entries", _bad_entries)):
            logged = daemon.log.stat().st_size
            with _watch_folder(daemon.config.parent, write):
                busy = _stretch(world, daemon, seconds)
                applied = _edited(daemon, part)
            logged = daemon.log.stat().st_size - logged
            time.sleep(_EVERY)  # until the folder that is gone has been noticed
            yield [
                *_figures(part, quiet, busy),
                Figure(
                    part=part,
                    what="changed file to applied or refused",
                    value=applied,
                    unit="s",
                    most=5,
                    scales="wall",
                ),
                Figure(part=part, what="log", value=logged / 1024, unit="KiB", most=256),
            ]


def _seconds(*, quick: bool) -> float:
    """Whole rounds of polls."""
    return (2.0 if quick else 3.0) * _EVERY


def _installation(folder: Path, world: World) -> Installation:
    daemon = Installation(folder / "daemon", world.url, world.sink)
    daemon.configure(jobs(_JOBS), f"{_EVERY}s")
    return daemon


@contextmanager
def _polling(folder: Path, **keys: str) -> Iterator[tuple[World, Installation]]:
    """A daemon whose first polls have spread."""
    folder.mkdir(exist_ok=True)
    with answering(World()) as world:
        daemon = _installation(folder, world)
        daemon.keys = keys
        daemon.configure(jobs(_JOBS), f"{_EVERY}s")
        with daemon.daemon():
            wait_for(lambda: not daemon.unseen(), "every job to be observed once", every=0.5)
            time.sleep(2 * _EVERY)
            yield world, daemon


@contextmanager
def _clients(daemon: Installation, log: Path, *groups: tuple[str, int]) -> Iterator[None]:
    commands = [[sys.executable, "-m", "bench.clients", kind, str(count), str(daemon.port)] for kind, count in groups]
    if not commands:
        yield
        return
    with running(commands[0], log, environment()), _clients(daemon, log, *groups[1:]):
        time.sleep(_ARRIVE)
        yield


def _stretch(world: World, daemon: Installation, seconds: float) -> Stretch:
    delivered, healthy, probed, start, polls = [], 0, 0.0, time.monotonic(), _polls(world)
    for number in range(_PROBES):
        begun = time.monotonic()
        healthy += _is_healthy(daemon.port)
        probed = max(probed, time.monotonic() - begun)
        if number % (_PROBES // _ENDS) == 0:
            delivered.append(one_end(world))
        time.sleep(max(0.0, start + (number + 1) * seconds / _PROBES - time.monotonic()))
    rate = (_polls(world) - polls) / (time.monotonic() - start)
    return Stretch(polls=rate, delivered=max(delivered), healthy=healthy, probed=probed)


def _polls(world: World) -> int:
    return sum(len(world.polls.get(job, ())) for job in jobs(_JOBS))


def _is_healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as page:
            return bool(page.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _figures(part: str, quiet: Stretch, busy: Stretch, note: str = "") -> list[Figure]:
    polls = f"polls made, against a quiet time{f' ({note})' if note else ''}"
    return [
        Figure(part=part, what=polls, value=busy.polls / quiet.polls, unit="x", least=0.9),
        Figure(part=part, what="a quiet time's polls a second", value=quiet.polls),
        Figure(
            part=part, what="seen to message, longest of 5", value=busy.delivered, unit="s", most=2, scales="wall"
        ),
        Figure(part=part, what=f"/healthz answers 200, of {_PROBES}", value=busy.healthy, least=_PROBES),
        Figure(part=part, what="/healthz, longest", value=busy.probed, unit="s"),
    ]


@contextmanager
def _watch_folder(parent: Path, write: Callable[[Path], None]) -> Iterator[None]:
    """The folder of watch files, which appears at once, and is gone afterwards."""
    unfinished, folder = parent / "watch.new", parent / "watch.d"
    unfinished.mkdir()
    write(unfinished)
    unfinished.rename(folder)
    yield
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()


def _many_files(folder: Path) -> None:
    for number, job in enumerate(itertools.islice(itertools.count(900_000_001), _FILES)):
        (folder / f"{number}.yaml").write_text(f"- {{job: {job}, every: 10h}}\n")


def _bad_entries(folder: Path) -> None:
    (folder / "bad.yaml").write_text("".join(f"- {{job: -{number}, every: soon}}\n" for number in range(1, _BAD + 1)))


def _edited(daemon: Installation, name: str) -> float:
    """Seconds until an edit of the main file is applied, or refused for what the watch files hold."""
    decisions, start = daemon.decided(), time.monotonic()
    ids = jobs(_JOBS)
    daemon.configure([*ids[:-1], f"{{job: {ids[-1]}, name: '{name}'}}"], f"{_EVERY}s")
    wait_for(lambda: daemon.decided() > decisions, "the edit to be read")
    return time.monotonic() - start


_PAST = {
    "watches (job_id, watched, every, status, status_since, seen_at, polled_at, job_type)": (
        "{id}, 0, 60000000, 'SUCCESS', {at}, {at}, {at}, 'ROAD_MATCHING'"
    ),
    "details (job_id, storage_id, input_filename, job_type, requested_at, roads, matched, answer)": (
        "{id}, 'storage-001', 'roads_' || (i % 1000) || '.parquet', 'ROAD_MATCHING', {at}, 397613, 0.84, {answer}"
    ),
    "transitions (job_id, before, after, observed_at, answer)": "{id}, 'IN_PROGRESS', 'SUCCESS', {at}, {answer}",
    "runs (job_id, ended_at, status, storage_id, input_filename, job_type, requested_at, ran)": (
        "{id}, {at}, 'SUCCESS', 'storage-001', 'roads_' || (i % 1000) || '.parquet', 'ROAD_MATCHING', {at}, 60000000"
    ),
    "events (id, kind, at, job_id, facts)": "{id}, 'success', {at}, {id}, '{{}}'",
    "deliveries (event_id, target, state, attempts, expires_at, sent_at)": "{id}, 'team', 'sent', 1, {at}, {at}",
}


def fill(store: Path, rows: int) -> None:
    """Jobs that ended during the last months: a row in each of these tables."""
    each, now = rows // len(_PAST), time.time_ns() // 1000
    names = {
        "id": "800000000 + i",
        "at": f"{now} - i * 60000000",
        "answer": "json_object('job_id', 800000000 + i, 'status', 'SUCCESS')",
    }
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {each})"
    with closing(sqlite3.connect(store)) as connection, connection:
        for table, values in _PAST.items():
            connection.execute(f"{numbers} INSERT INTO {table} SELECT {values.format(**names)} FROM n")
