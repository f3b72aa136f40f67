"""Builds the engine's loops from their collaborators, for the program, the tests and the model."""

import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from gemwatch.core.clock import Clock, SteadyClock
from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.settings import Loaded, Settings
from gemwatch.core.sharing.replicas import Refreshed
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.discovery import Discovery
from gemwatch.engine.dispatcher import Dispatcher
from gemwatch.engine.health_monitor import HealthMonitor
from gemwatch.engine.heartbeat import Heartbeat
from gemwatch.engine.learning import Learner
from gemwatch.engine.lister import Lister
from gemwatch.engine.maintenance import Maintenance
from gemwatch.engine.membership import Membership
from gemwatch.engine.pace import Holds, SharedPace
from gemwatch.engine.poll_once import PollOnce
from gemwatch.engine.poller import Poller
from gemwatch.engine.ports import (
    Database,
    Discoveries,
    Housekeeping,
    Learning,
    Listings,
    Mark,
    Member,
    Metrics,
    Store,
    WatchList,
)
from gemwatch.engine.reloader import Reloader
from gemwatch.engine.store_monitor import StoreMonitor
from gemwatch.engine.sweep import Sweep


@dataclass(frozen=True, slots=True, kw_only=True)
class Loops:
    """The loops that run concurrently. None of them has started yet."""

    poller: Poller
    lister: Lister
    dispatcher: Dispatcher
    reloader: Reloader
    maintenance: Maintenance
    store_monitor: StoreMonitor
    heartbeat: Heartbeat


def build_membership(
    *,
    active: ActiveConfig,
    health_monitor: HealthMonitor,
    member: Member | None,
    holds: Holds | None,
    database: Database,
    clock: Clock,
    on_time: Callable[[Refreshed], None] = lambda _: None,
) -> Membership:
    """The membership of this daemon. Each refresh also shares the rate of requests, by `holds`, with the others.

    `member` and `holds` None: there can be no others.
    """
    membership = Membership(
        member=member,
        database=database,
        clock=clock,
        login=lambda: health_monitor.health.login,
        targets=lambda: active.targets.names,
        on_time=on_time,
    )
    if member is not None and holds is not None:
        membership.on_refreshed = SharedPace(
            me=member.id,
            holds=holds,
            turns=active.pace.turns,
            database=database,
            clock=clock,
            on_hold=membership.wake_up.set,
        ).update
    return membership


def build_loops(
    *,
    active: ActiveConfig,
    health_monitor: HealthMonitor,
    store: Store,
    listings: Listings,
    discoveries: Discoveries,
    learning: Learning,
    watch_list: WatchList,
    housekeeping: Housekeeping,
    database: Database,
    clock: SteadyClock,
    metrics: Metrics,
    notes: Mapping[str, Any],
    membership: Membership,
    experience: Experience,
    edited: Callable[[], Awaitable[bool]],
    read: Callable[[], Awaitable[Loaded]],
    prepare: Callable[[ActiveConfig, Settings], ActiveConfig],
    retire: Callable[[ActiveConfig, ActiveConfig], Awaitable[None]],
    stalled: Callable[[], str | None],
    store_failure: Callable[[], str | None],
    ping: Callable[[str], Awaitable[str | None]],
    progress: Callable[[str], None],
    place: str = "",
    mark: Mark = lambda: None,
    around_reload: Callable[[], AbstractContextManager[None]] = nullcontext,
    roll: Callable[[], float] = random.random,
) -> Loops:
    """Connect the loops: a commit wakes the dispatcher, an edit wakes the poller and the dispatcher.

    `place`: host and path of the configuration.
    `mark`: without it, dispatcher and maintenance ask the store each second.

    `progress` is called with `polls`, `records` or `deliveries` after each round of that loop. For the other
    callables see the reloader, the heartbeat and the store monitor.
    """
    if membership.id is None:  # replicas share the pause
        health_monitor.resume(notes)
    dispatcher = Dispatcher(
        active=active,
        store=store,
        database=database,
        clock=clock,
        metrics=metrics,
        membership=membership,
        mark=mark,
        progress=lambda: progress("deliveries"),
    )
    poll_once = PollOnce(
        active=active,
        clock=clock,
        barred=lambda: health_monitor.locked_out,
        doubted=lambda: health_monitor.doubts_rate,
        asking=health_monitor.asking,
    )
    poller = Poller(
        active=active,
        store=store,
        database=database,
        clock=clock,
        health_monitor=health_monitor,
        metrics=metrics,
        membership=membership,
        on_recorded=dispatcher.wake_up.set,
        progress=progress,
        experience=experience,
        poll_once=poll_once,
        roll=roll,
    )

    def wake_both() -> None:
        poller.wake_up.set()
        dispatcher.wake_up.set()

    sweep = Sweep(
        active=active,
        listings=listings,
        database=database,
        clock=clock,
        health_monitor=health_monitor,
        metrics=metrics,
        take=poller.take,
        on_due=poller.wake_up.set,
    )
    learner = Learner(
        active=active,
        learning=learning,
        housekeeping=housekeeping,
        database=database,
        clock=clock,
        experience=experience,
        notes=notes,
    )
    discovery = Discovery(
        active=active,
        discoveries=discoveries,
        database=database,
        clock=clock,
        health_monitor=health_monitor,
        take=poller.take,
        on_due=poller.wake_up.set,
        poll_once=poll_once,
        notes=notes,
    )
    maintenance = Maintenance(
        active=active,
        store=store,
        housekeeping=housekeeping,
        database=database,
        clock=clock,
        metrics=metrics,
        membership=membership,
        mark=mark,
        follow_runs=learner.follow_others,
        lists_known=lambda: discovery.lists_known,
        on_jump=dispatcher.clock_jumped,
        on_recorded=dispatcher.wake_up.set,
    )

    def continue_with(notes: Mapping[str, Any]) -> None:
        poller.take(health_monitor.succeed(notes, alone=membership.id is None))
        discovery.succeed(notes)
        maintenance.succeed(notes)

    return Loops(
        poller=poller,
        dispatcher=dispatcher,
        lister=Lister(
            active=active,
            users=(sweep, learner, discovery),
            store=store,
            take=poller.take,
            housekeeping=housekeeping,
            database=database,
            clock=clock,
            health_monitor=health_monitor,
            membership=membership,
        ),
        reloader=Reloader(
            active=active,
            store=store,
            watch_list=watch_list,
            database=database,
            clock=clock,
            metrics=metrics,
            edited=edited,
            read=read,
            prepare=prepare,
            retire=retire,
            membership=membership,
            place=place,
            read_notes=housekeeping.notes,
            on_elected=continue_with,
            on_applied=wake_both,
            around=around_reload,
            notes=notes,
        ),
        maintenance=maintenance,
        store_monitor=StoreMonitor(
            active=active,
            store=store,
            database=database,
            clock=clock,
            failure=store_failure,
            led_last=lambda: membership.led_last,
            on_recorded=dispatcher.wake_up.set,
        ),
        heartbeat=Heartbeat(active=active, clock=clock, leads=lambda: membership.leads, stalled=stalled, call=ping),
    )
