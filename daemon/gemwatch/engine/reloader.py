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
from gemwatch.engine.active_config import ActiveConfig
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
        on_applied: Callable[[], None],
        around: Callable[[], AbstractContextManager[None]] = nullcontext,
        notes: Mapping[str, Any],
    ) -> None:
        """`edited`: whether the files have changed and settled. `read` reads and checks them.

        `prepare` builds the objects for new settings without affecting the running ones, and raises ValueError on
        failure. `retire` closes unused ones. `around` is entered for the duration of a reload.
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
        self._on_applied = on_applied
        self._around = around
        self.wake_up = WakeUp()
        self._forced = False
        self._waiting: tuple[str, ...] = ()  # sections that need a restart, already reported
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

    async def start(self, loaded: Loaded, settings: Settings) -> None:
        """Apply the first configuration, from which the active objects were built."""
        await self._apply(settings)
        await self._report(loaded.problems, refused=False)
        self._metrics.reload(ok=not loaded.problems, at=self._clock.now())

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

    async def _apply(self, settings: Settings, *, other_limits: bool = False) -> None:

        def apply() -> Applied:
            # In one step in the store's thread, because a job's targets belong to its watch list.
            now = self._clock.now()
            applied = self._watch_list.apply(settings.watches, settings.poll.every, now, settings.discover)
            self._store.address(settings.targets, terms_by_group(settings))
            fallbacks = {target.name: target.fallback for target in settings.targets if target.fallback}
            self._store.record([], [], {"fallbacks": fallbacks})  # for pages and commands
            if other_limits:
                self._watch_list.poll_soon(self._clock.now())
            return applied

        applied = await self._database(apply)
        log.info(
            "config_applied",
            watches=len(settings.watches),
            added=applied.added,
            changed=applied.changed,
            removed=applied.removed,
        )
        self._on_applied()

    async def _report(self, problems: Sequence[Problem], *, refused: bool, reason: str | None = None) -> None:
        for problem in problems:
            log.error("config_problem", reason=str(problem), skipped=problem.entry and not refused)
        if refused:
            log.error("config_refused", reason=reason, detail="The last good configuration stays active.")
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
        await self._database(self._store.record, [], happened, notes)
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
