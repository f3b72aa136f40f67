"""Several replicas of the installed program on one PostgreSQL database, against one API and the same targets."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gemwatch.adapters.store.database import open_to_read
from gemwatch.core.settings import Postgresql
from support.daemon import Daemon, Installation
from support.gem import ScriptedGem
from support.inbox import Inbox
from support.json_records import JsonRecords
from support.postgresql import age, url_of

TAKEN_OVER = 90.0  # seconds of patience: a dead replica's leases and claims end after 30


class Replica(Installation):
    """One of them, with a folder of its own. The API recognises it by its token."""

    def __init__(self, folder: Path, number: int, gem: ScriptedGem, inbox: Inbox, place: Postgresql) -> None:
        folder.mkdir()
        super().__init__(folder, gem, inbox)
        self.number, self.token, self._gem = number, f"test-token-{number}", gem
        self._place, self._reader = place, open_to_read(place)
        self.document["api"]["token"] = {"value": self.token}
        self.configure(store={"url": url_of(place)}, name=f"replica-{number}")
        self.running: Daemon | None = None

    @property
    def records(self) -> JsonRecords:
        return JsonRecords(self._reader)

    @property
    def process_id(self) -> int:
        assert self.running is not None
        return self.running.process.pid

    def start(self, doom: Path | None = None, *, hours: int = 0) -> None:
        """Start it, and wait until it is ready. `hours`: by how many its clock is ahead."""
        self.begin(doom, hours=hours)
        self.await_ready()

    def begin(self, doom: Path | None = None, *, hours: int = 0) -> None:
        """Start it, and wait for nothing."""
        if hours:
            (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
            faked = {"LD_PRELOAD": str(library), "FAKETIME": f"+{hours}h", "DONT_FAKE_MONOTONIC": "1"}
            self.running = self.daemon(cold=True, **faked)
        else:
            self.running = self.daemon(doom)
        self.running.start()

    def await_ready(self) -> None:
        assert self.running is not None
        self.running.await_ready()

    def stop(self) -> int:
        assert self.running is not None
        return self.running.stop()

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()

    def age(self) -> None:
        """After its kill: as if that had been long ago."""
        age(self._place, self.process_id)

    def freeze(self) -> None:
        os.kill(self.process_id, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process_id, signal.SIGCONT)

    def logged(self, event: str) -> Sequence[dict[str, Any]]:
        assert self.running is not None
        return self.running.logged(event)

    def polled(self, since: int = 0) -> list[int]:
        """The jobs that it asked about, from this request on."""
        mine = f"Bearer {self.token}"
        requests = self._gem.requests[since:]
        return [r.job_id for r in requests if r.job_id is not None and r.headers.get("authorization") == mine]


class Replicas(list[Replica]):
    """All of them."""

    def configure(self, **sections: Any) -> None:
        for one in self:
            one.configure(**sections)

    def start(self) -> None:
        for one in self:
            one.start()

    def start_at_once(self) -> None:
        for one in self:
            one.begin()
        for one in self:
            one.await_ready()

    def stop(self) -> None:
        for one in self:
            assert one.stop() == 0

    @property
    def records(self) -> JsonRecords:
        return self[0].records

    def leader(self) -> Replica | None:
        """The one that has the leader's lease."""
        leading = {row["pid"] for row in self._rows() if row["leader"]}
        return next((one for one in self if one.running is not None and one.process_id in leading), None)

    def polls(self, since: int = 0) -> list[int]:
        """How many polls each of them made, from this request on."""
        return [len(one.polled(since)) for one in self]

    def connections(self) -> int:
        """Those that all of them have to the database."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with self[0]._reader.begin() as connection:
            return int(connection.exec_driver_sql(query).scalar_one())

    def settled(self) -> bool:
        """Whether every watched job has ended and every message is sent."""
        jobs = [job for job in self.records.status()["jobs"] if job["watched"]]
        return bool(jobs) and all(job["finished"] for job in jobs) and not self.records.deliveries("pending")

    def _rows(self) -> list[dict[str, Any]]:
        with self[0]._reader.begin() as connection:
            rows = connection.exec_driver_sql(
                "SELECT r.pid, l.holder IS NOT NULL AS leader FROM replicas r LEFT JOIN leases l "
                "ON l.holder = r.id AND l.name = 'leader' "
                "AND l.expires_at > extract(epoch FROM clock_timestamp()) * 1000000"
            )
            return [dict(row._mapping) for row in rows]


@contextmanager
def replicas(
    folder: Path, gem: ScriptedGem, inbox: Inbox, place: Postgresql, count: int = 3, **sections: Any
) -> Iterator[Replicas]:
    """`count` replicas, configured and not yet started. What runs in the end is killed."""
    found = Replicas(Replica(folder / f"replica-{n}", n, gem, inbox, place) for n in range(1, count + 1))
    found.configure(**sections)
    try:
        yield found
    except BaseException:
        for one in found:
            if one.running is not None:
                text = one.running.log_file.read_text()[-8000:]
                print(f"--- replica {one.number}\n{text}")  # noqa: T201 (pytest shows it with the failure)
        raise
    finally:
        for one in found:
            if one.running is not None and one.running.process.poll() is None:
                one.go_on()
                one.kill()
            one._reader.dispose()
