"""Reads an edited configuration, checks it, and applies it as a whole or not at all."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from typing import Any

import structlog

from gemwatch.core.clock import Clock
from gemwatch.core.events import Event
from gemwatch.core.kinds import ConfigFacts
from gemwatch.core.lists.groups import terms_by_group
from gemwatch.core.settings import Applied, Loaded, Problem, Settings, as_running, needs_restart
from gemwatch.core.sharing.replicas import NotLeaderError
from gemwatch.core.sharing.watch_lists import WatchListMark, digest_of, may_be_outdated
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.membership import Membership
from gemwatch.engine.ports import Database, Metrics, Store, WatchList
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()


class Reloader:
    """Reports each mistake once, and once that all are fixed. The notes keep the reported mistakes over a restart."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        store: Store,
        watch_list: WatchList,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        edited: Callable[[], Awaitable[bool]],
        read: Callable[[], Awaitable[Loaded]],
        prepare: Callable[[ActiveConfig, Settings], ActiveConfig],
        retire: Callable[[ActiveConfig, ActiveConfig], Awaitable[None]],
        membership: Membership,
        place: str,
        read_notes: Callable[[], Mapping[str, Any]],
        on_elected: Callable[[Mapping[str, Any]], None],
        on_applied: Callable[[], None],
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        notes: Mapping[str, Any],
    ) -> None:
        """`edited`: whether the files have changed and settled. `read` reads and checks them.

        `prepare` builds the objects for new settings without affecting the running ones, and raises ValueError on
        failure. `retire` closes unused ones. `around` is entered for the duration of a reload.

        Of several replicas, only the leader applies the watch list and reports mistakes. `place`: host and path of
        the configuration. `read_notes`: the store's notes, which `on_elected` gets when this replica is elected.
        """
        self._active = active
        self._store = store
        self._watch_list = watch_list
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._edited = edited
        self._read = read
        self._prepare = prepare
        self._retire = retire
        self._membership = membership
        self._place = place
        self._read_notes = read_notes
        self._on_elected = on_elected
        self._on_applied = on_applied
        self._around = around
        self.wake_up = WakeUp()
        self._forced = False
        self._waiting: tuple[str, ...] = ()  # sections that need a restart, already reported
        self._latest: tuple[Sequence[Problem], bool, str | None] = ((), False, None)  # of the last reading
        self._recall(notes)

    def _recall(self, notes: Mapping[str, Any]) -> None:
        reported = notes.get("config") or {}
        # The second key is the one of earlier versions.
        self._reported: list[str] = reported.get("reported") or reported.get("told", [])
        self._refused: bool = reported.get("refused", False)
        self._since: str | None = reported.get("since")  # when the configuration was first refused

    def force(self) -> None:
        """Read at once, whether or not the files have changed (SIGHUP)."""
        self._forced = True
        self.wake_up.set()

    async def run(self) -> None:
        while True:
            await self.wake_up.wait(within=2)
            if self._forced or await self._edited():
                self._forced = False
                with self._around():
                    await self.reload()
            elif self._membership.elected and not self._membership.leads:
                await self._take_office()

    async def start(self, loaded: Loaded, settings: Settings) -> None:
        """Apply the first configuration, from which the active objects were built."""
        self._latest = (loaded.problems, False, None)
        if self._membership.elected:
            await self._take_office()
        else:
            await self._apply(settings, edited=False)
            await self._report(loaded.problems, refused=False)
        self._metrics.reload(ok=not loaded.problems, at=self._clock.now())

    async def _take_office(self) -> None:
        """This replica is elected: apply its configuration, and continue with what the previous leader reported."""
        notes = await self._database(self._read_notes)
        self._recall(notes)
        self._on_elected(notes)
        await self._apply(self._active.settings, edited=False)
        if self._membership.elected:
            self._membership.take_office()
            problems, refused, reason = self._latest
            await self._report(problems, refused=refused, reason=reason)

    async def reload(self) -> None:
        """Read, check and apply the configuration. If it is refused, the old one stays active."""
        loaded = await self._read()
        problems, settings, reason = loaded.problems, loaded.settings, None
        if settings is not None:
            try:
                fresh = self._prepare(self._active, settings)
            except ValueError as error:
                settings, reason = None, f"it cannot be applied: {error}"
            else:
                await self._put_in_force(fresh, loaded_settings=settings)
        await self._report(problems, refused=settings is None, reason=reason)
        self._metrics.reload(ok=settings is not None and not problems, at=self._clock.now())

    async def _put_in_force(self, fresh: ActiveConfig, *, loaded_settings: Settings) -> None:
        before = copy(self._active)
        unlike = needs_restart(before.settings, loaded_settings)
        for section in sorted(set(unlike) - set(self._waiting)):
            log.warning("restart_needed", section=section, detail="The old values stay active until then.")
        self._waiting = unlike
        fresh.settings = as_running(before.settings, loaded_settings)
        await self._apply(fresh.settings, other_limits=fresh.settings.limits != before.settings.limits)
        self._active.take(fresh)
        await self._retire(before, self._active)
        urls = {target.name: target.url for target in before.settings.targets}
        for target in fresh.settings.targets:
            if target.url != urls.get(target.name):
                await self._database(self._store.pull_forward, target.name, self._clock.now())

    async def _apply(self, settings: Settings, *, other_limits: bool = False, edited: bool = True) -> None:
        own = WatchListMark(digest=digest_of(settings), place=self._place)
        self._membership.watch_list = own.digest
        if not self._membership.elected:
            log.info("config_read", watches=len(settings.watches), detail="The leading replica applies its own.")
            self._on_applied()
            return

        def apply() -> Applied:
            # In one step in the store's thread, because a job's targets belong to its watch list.
            now = self._clock.now()
            shared = self._membership.id is not None
            mark = self._watch_list.mark() if shared else None
            only_add = may_be_outdated(own, mark, edited=edited)
            self._membership.applied = mark.digest if mark is not None and only_add else own.digest
            applied = self._watch_list.apply(
                settings.watches,
                settings.poll.every,
                now,
                settings.discover,
                mark=own if shared else None,
                only_add=only_add,
            )
            self._store.address(settings.targets, terms_by_group(settings), only_add=only_add)
            fallbacks = {target.name: target.fallback for target in settings.targets if target.fallback}
            expected = {group.name: group.expect for group in settings.groups if group.expect is not None}
            shown = {"fallbacks": fallbacks, "expected_members": expected}  # by pages and commands
            self._store.record([], [], shown, as_leader=True)
            if only_add:
                detail = "Its watch list may be outdated, so nothing is removed until the file is edited."
                log.warning("config_only_added", replica=self._membership.id, detail=detail)
            if other_limits:
                self._watch_list.poll_soon(self._clock.now())
            return applied

        try:
            applied = await self._database(apply)
        except NotLeaderError:
            self._membership.lose()  # the one that leads now applies its own
            return
        log.info(
            "config_applied",
            watches=len(settings.watches),
            added=applied.added,
            changed=applied.changed,
            removed=applied.removed,
        )
        self._on_applied()

    async def _report(self, problems: Sequence[Problem], *, refused: bool, reason: str | None = None) -> None:
        self._latest = (problems, refused, reason)
        for problem in problems:
            log.error("config_problem", reason=str(problem), skipped=problem.entry and not refused)
        if refused:
            log.error("config_refused", reason=reason, detail="The last good configuration stays active.")
        if not self._membership.led_last:
            return
        now = [_identity(problem) for problem in problems]
        was_refused, reported = self._refused, self._reported
        if sorted(now) == sorted(reported) and refused == was_refused:
            return
        self._refused, self._reported = refused, now
        worse = refused != was_refused or bool(Counter(now) - Counter(reported))
        happened = [self._event(problems, refused=refused, reason=reason)] if worse or not now else []
        if refused != was_refused:
            self._since = self._clock.now().isoformat() if refused else None
        notes = {"config": {"reported": now, "refused": refused, "since": self._since}}
        await self._membership.as_leader(
            lambda: self._database(self._store.record, [], happened, notes, as_leader=True)
        )
        self._on_applied()

    def _event(self, problems: Sequence[Problem], *, refused: bool, reason: str | None) -> Event:
        facts = ConfigFacts(
            over=not problems and not refused,
            refused=refused,
            problems=tuple(str(problem) for problem in problems),
            reason=reason,
        )
        return Event(at=self._clock.now(), facts=facts)


def _identity(problem: Problem) -> str:
    """The part of a mistake that does not change if lines are added above it."""
    return f"{problem.file.name}: {problem.what}"
