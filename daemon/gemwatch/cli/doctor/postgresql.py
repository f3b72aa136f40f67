"""Can the database be used, does the server keep up, and which daemons share the store?"""

from collections.abc import Iterator, Sequence

from gemwatch.adapters.store.database import open_to_read
from gemwatch.adapters.store.databases import postgresql
from gemwatch.adapters.store.databases.postgresql import Upkeep
from gemwatch.adapters.store.files import StoreError
from gemwatch.adapters.store.info import replicas_in
from gemwatch.adapters.store.schema import REVISION, revision_of
from gemwatch.cli.doctor.finding import Finding, ok, problem, to_run, warning
from gemwatch.core.health import Login
from gemwatch.core.settings import Postgresql
from gemwatch.core.sharing.replicas import Replica
from gemwatch.core.text.context import Context
from gemwatch.core.text.formatting import counted
from gemwatch.core.text.replicas import described, named

_LONG_TRANSACTION = 3600  # seconds
_MANY_DEAD = 50_000  # rows; with fewer, and with less than five for each live one, cleaning has just not begun


def findings(place: Postgresql, context: Context) -> Iterator[Finding]:
    try:
        engine = open_to_read(place)
        found = revision_of(engine)
        with engine.begin() as connection:
            postgresql.check_server(connection)
            server = connection.exec_driver_sql("SHOW server_version").scalar_one()
            upkeep = postgresql.upkeep_of(connection)
    except StoreError as error:
        yield problem("store", str(error), "Check store.url, the server, and that this machine may connect to it")
        return
    yield _schema(place, found, context)
    yield ok("PostgreSQL", str(server))
    if upkeep is not None:
        yield _transactions(upkeep)
        yield _dead_rows(upkeep)
    yield replicas_finding(replicas_in(place))


def _schema(place: Postgresql, found: str | None, context: Context) -> Finding:
    if found == REVISION:
        return ok("store", f"{place} is OK, schema {found}")
    if found is None:
        return ok("store", f"{place} has no tables yet")
    remedy = to_run(
        "The start of the daemon of this version upgrades it. Or stop the daemon and run:",
        "{gemwatch} db upgrade",
        context,
    )
    return warning("store", f"{place} has schema {found}, this gemwatch reads {REVISION}", remedy)


def _transactions(upkeep: Upkeep) -> Finding:
    age = upkeep.oldest_transaction
    if age <= _LONG_TRANSACTION:
        return ok("transactions", f"the oldest has been open for {age:.0f} s")
    return warning(
        "transactions",
        f"one has been open for {age / 60:.0f} min, so dead rows cannot be cleaned up",
        "Find it in pg_stat_activity by xact_start, and end it",
    )


def _dead_rows(upkeep: Upkeep) -> Finding:
    dead, live = upkeep.dead_rows, upkeep.live_rows
    words = f"{dead:,} for {counted(live, 'live row', 'live rows')}"
    if dead <= max(_MANY_DEAD, 5 * live):
        return ok("dead rows", words)
    remedy = "Make sure that autovacuum is on, and that no transaction stays open. Then run VACUUM in the database"
    return warning("dead rows", words, remedy)


def replicas_finding(replicas: Sequence[Replica]) -> Finding:
    """Which daemons share the store, and what differs between them that should not."""
    if not replicas:
        return ok("replicas", "no daemon uses this store")
    words = f"{len(replicas)}: {'; '.join(described(replicas))}"
    refused = [name for name, one in zip(named(replicas), replicas, strict=True) if one.login is Login.REFUSED]
    if refused:
        return warning("replicas", words, f"Fix the login on {', '.join(refused)}: those do not poll")
    if not any(one.leader for one in replicas):
        return warning("replicas", f"{words}; none leads", "Wait for 30 s. If none leads then, read their logs")
    if len({one.version for one in replicas}) > 1:
        versions = ", ".join(f"{name} {one.version}" for name, one in zip(named(replicas), replicas, strict=True))
        return warning("replicas", f"{words}; versions: {versions}", "Finish the upgrade, so that all are the same")
    if len({one.watch_list for one in replicas if one.watch_list is not None}) > 1:
        remedy = "Copy the leader's configuration and watch files to the others"
        return warning("replicas", f"{words}; their watch lists differ", remedy)
    return ok("replicas", words)
