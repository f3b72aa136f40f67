"""The machine with two engines on one PostgreSQL store. Either may stop or be killed while the other continues."""

import asyncio
import contextlib
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.discovery.found import Discoveries
from gemwatch.core.settings import Loaded, Place, Settings
from gemwatch.core.sharing.replicas import DEAD_AFTER, REFRESH_EVERY
from model.discovering import Discovering
from support.postgresql import new_database
from support.simulated import Life, keep_time, virtual_time
from support.world import World

TAKEN_OVER = (DEAD_AFTER + timedelta(seconds=3 * REFRESH_EVERY)).total_seconds()


class Pair:
    """Two lives on one store, with the shape of one."""

    def __init__(self, world: World, settings: Settings) -> None:
        self._world = world
        self._of_commands = open_to_write(settings.store.place)
        keep_time(self._of_commands, world.clock)
        self.discoveries = Discoveries(self._of_commands)
        self.lives = [Life(world, settings, shared=True) for _ in range(2)]
        self._take_names()

    async def start(self) -> None:
        for one in self.lives:
            await one.start()
        await self.go_on(TAKEN_OVER)  # until what a killed pair had leased is free

    async def edit(self, edited: Loaded) -> None:
        """In the files of both, at the same time."""
        for one in self.lives:
            await one.edit(edited)

    async def go_on(self, seconds: float) -> None:
        await asyncio.gather(*(one.go_on(seconds) for one in self.lives))

    async def stop(self) -> None:
        await asyncio.gather(*(one.stop() for one in self.lives))
        self._of_commands.dispose()

    async def die(self) -> None:
        for one in self.lives:
            await one.die()
        self._of_commands.dispose()

    async def replace(self, number: int, settings: Settings, *, killed: bool) -> None:
        """One of them ends, and another one starts."""
        await (self.lives[number].die() if killed else self.lives[number].stop())
        self._world.life += 1
        self.lives[number] = Life(self._world, settings, shared=True)
        self._take_names()
        await self.lives[number].start()
        await self.go_on(TAKEN_OVER)

    def _take_names(self) -> None:
        """The store through the eyes of the first."""
        first = self.lives[0]
        self.engine, self.records = first.engine, first.records


class Sharing(Discovering):
    life: Pair  # type: ignore[assignment]

    @rule(number=st.integers(0, 1), killed=st.booleans())
    def one_is_restarted(self, number: int, *, killed: bool) -> None:
        self._do(self.life.replace(number, self._settings(), killed=killed))

    @rule(seconds=st.sampled_from([2, 30]))
    def the_store_is_locked_for_a_while(self, seconds: float) -> None:
        """Nobody leads right after a long lock."""
        super().the_store_is_locked_for_a_while(seconds)
        self._do(self.life.go_on(TAKEN_OVER))

    def the_clock_jumps(self) -> None:  # type: ignore[override]
        """No rule here: the replicas follow the database's time."""

    @invariant()
    def one_of_them_leads(self) -> None:
        assert sum(one.membership.leads for one in self.life.lives) == 1

    def _begin(self) -> None:
        self.world.replicas = 2
        self.world.begin_life()
        self.life = Pair(self.world, self._settings())
        self.world.pending, self.world.may_ask = self._is_pending, self._may_ask
        self._do(self.life.start())

    def _new_store(self) -> Place:
        self.database = contextlib.ExitStack()
        place = self.database.enter_context(new_database())
        virtual_time(place)
        return place

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            if hasattr(self, "database"):
                self.database.close()
