"""Commits that are not answered, because the connection to PostgreSQL is lost at that moment."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from gemwatch.adapters.store.database import DatabaseThread, open_to_write
from gemwatch.adapters.store.databases.replicas import ReplicaRow
from gemwatch.adapters.store.recording import Store
from gemwatch.adapters.store.tables import events, leases, watches
from gemwatch.adapters.store.watch_list import WatchList
from gemwatch.core.events import Event, Target
from gemwatch.core.health import Login
from gemwatch.core.kinds import ConfigFacts
from gemwatch.core.polls.tracked import Verdict
from gemwatch.core.settings import Watch
from gemwatch.core.work import report_on
from support.clock import START
from support.postgresql import address_of, at_port, new_database
from support.proxy import Proxy

LEASE = timedelta(hours=1)


@pytest.fixture
def proxy() -> Iterator[tuple[Proxy, sa.Engine]]:
    with new_database() as database, Proxy(address_of(database)) as proxy:
        engine = open_to_write(at_port(database, proxy.port))
        yield proxy, engine
        engine.dispose()


@pytest.fixture
def store(proxy: tuple[Proxy, sa.Engine]) -> Store:
    _, engine = proxy
    WatchList(engine).apply([Watch(job_id=7)], timedelta(minutes=1), START)
    store = Store(engine, [Target(name="team", url="json://127.0.0.1/team")])
    facts = ConfigFacts(over=False, refused=False, problems=(), reason=None)
    store.record([], [Event(at=START, facts=facts)])
    return store


def claim_watches(store: Store) -> int:
    due = store.next_due()
    return len(store.claim_watches(START, 10, LEASE)) if due is not None and due <= START else 0


def claim_deliveries(store: Store) -> int:
    return sum(len(bundle.deliveries) for bundle in store.claim_deliveries(START, ["team"], LEASE))


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("claim", [claim_watches, claim_deliveries])
async def test_unanswered_claim_is_made_again(
    proxy: tuple[Proxy, sa.Engine], store: Store, claim: Callable[[Store], int], moment: str
) -> None:
    cut, database = proxy[0].before_commit if moment == "before" else proxy[0].after_commit, DatabaseThread()
    cut(passed=1)  # what looks for due work
    assert await database(claim, store) == 1
    assert proxy[0].cuts == 1
    assert await database(claim, store) == 0  # it is claimed
    database.close()


async def test_record_that_a_crash_takes_back_is_made_again(proxy: tuple[Proxy, sa.Engine], store: Store) -> None:
    """The commit is taken back by hand: no crash does it reliably, as the server writes it to the disk soon."""
    database = DatabaseThread()
    (claimed,) = await database(store.claim_watches, START, 10, LEASE)
    until = START + timedelta(minutes=1)
    verdict = Verdict(job_id=7, memory=claimed.tracked.memory, due_at=until)
    await database(store.record, [report_on(claimed, START, verdict)])
    assert await database(store.next_due) == until
    with proxy[1].begin() as connection:
        connection.execute(sa.update(watches).values(claim=claimed.claim, due_at=START + LEASE))
    assert await database(store.next_due) == START + LEASE
    proxy[0].cut()
    await database(store.next_due)
    assert await database(claim_watches, store) == 1
    database.close()


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_unanswered_events_are_recorded_once(proxy: tuple[Proxy, sa.Engine], store: Store, moment: str) -> None:
    cut, database = proxy[0].before_commit if moment == "before" else proxy[0].after_commit, DatabaseThread()
    happened = [Event(at=START, facts=ConfigFacts(over=over)) for over in (False, True)]
    happened[1] = replace(happened[1], at=START + timedelta(seconds=1))
    cut()
    recorded = await database(store.record, [], happened)
    assert proxy[0].cuts == 1
    assert [(one.event, one.targets) for one in recorded.events] == [(event, ("team",)) for event in happened]
    with proxy[1].begin() as connection:
        ids = connection.execute(sa.select(events.c.id).where(events.c.id > 1).order_by(events.c.id)).scalars().all()
    assert [one.event_id for one in recorded.events] == ids
    again = await database(store.record, [], happened)  # answered: this is another one
    assert {one.event_id for one in again.events}.isdisjoint(ids)
    database.close()


async def test_lead_taken_without_an_answer_is_a_new_term(proxy: tuple[Proxy, sa.Engine]) -> None:
    engine, database = proxy[1], DatabaseThread()
    member = ReplicaRow(engine, lambda: 0.0)
    before = await database(member.refresh, Login.OK, None, ())
    with engine.begin() as connection:  # its lease ended, and another one led
        connection.execute(sa.update(leases).values(holder="other", expires_at=START - timedelta(days=3650)))
    proxy[0].after_commit()
    after = await database(member.refresh, Login.OK, None, ())
    assert proxy[0].cuts == 1
    assert after.leads
    assert after.term != before.term
    database.close()
