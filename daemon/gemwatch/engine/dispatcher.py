"""Claims due deliveries, turns them into messages, sends these, and settles each delivery with its outcome."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from gemwatch.core.backoff import DELIVERY_FIRST
from gemwatch.core.clock import Clock
from gemwatch.core.events import Event
from gemwatch.core.message_ids import message_ids
from gemwatch.core.text.compose import compose
from gemwatch.core.text.rendering import Format, render
from gemwatch.core.text.summary import fitting, summarise
from gemwatch.core.work import Bundle, Delivery, DeliveryState, NotSent, Outcome, Sent, Settled, postpone, settle
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.ports import Database, Metrics, Store, Targets
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

LEASE = timedelta(minutes=30)  # a process that dies while it sends is restarted long before
BUNDLE_TIME = timedelta(minutes=10)  # what is left of a bundle after that is postponed


class Dispatcher:
    """Sends one bundle at a time to each target, to all targets in parallel."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        store: Store,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        progress: Callable[[], None],
    ) -> None:
        self._active = active
        self._store = store
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._progress = progress
        self.wake_up = WakeUp()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._proven: set[str] = set()  # targets that accepted the last message
        self._stopping = False

    async def run(self) -> None:
        """Deliver until stopped. An unexpected error ends it, and with it the program."""
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                await self._claim(group)
                self._progress()
                await self.wake_up.wait(within=1)

    async def stop(self, patience: float) -> None:
        """Claim nothing more and give running sends `patience` seconds.

        The outcome of a send that is cut off is unknown: its claim stays, and the next start sends it again.
        """
        self._stopping = True
        self.wake_up.set()
        if self._busy:
            await asyncio.wait(set(self._busy.values()), timeout=patience)
        for task in set(self._busy.values()):
            task.cancel()
        self.wake_up.set()

    @property
    def idle(self) -> bool:
        """Whether no message is being sent."""
        return not self._busy

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        targets = self._active.targets
        idle = [name for name in targets.names if name not in self._busy]
        if not idle:
            return
        bundles = await self._database(self._store.claim_deliveries, self._clock.now(), idle, LEASE)
        for bundle in bundles:
            self._busy[bundle.target] = group.create_task(self._deliver(bundle, targets))

    async def _deliver(self, bundle: Bundle, targets: Targets) -> None:
        try:
            await self._send_all(bundle, targets)
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            del self._busy[bundle.target]
            self.wake_up.set()

    async def _send_all(self, bundle: Bundle, targets: Targets) -> None:
        """Send a bundle, in parts where the service takes only short messages; after a failure, no further part."""
        rest = bundle.deliveries
        give_back_at = rest[0].claim + BUNDLE_TIME
        while rest:
            if self._stopping or self._clock.now() > give_back_at:
                await self._settle(bundle.target, [postpone(one, self._clock.now()) for one in rest])
                return
            size = 1 if len(rest) == 1 else fitting(_letters(rest), targets.body_limit(bundle.target))
            part, rest = rest[:size], rest[size:]
            if not await self._send(bundle.target, part, rest, targets):
                return

    async def _send(self, target: str, part: Sequence[Delivery], rest: Sequence[Delivery], targets: Targets) -> bool:
        """Send one message and settle what stands in it; whether it went out. If not, the rest is put off too."""
        clock, limit = self._clock, targets.body_limit(target)
        now = clock.now()
        if len(part) == 1:
            message = compose(part[0].event_id, part[0].event, now=now)
        else:
            message = summarise(_letters(part), now=now)
        ids = message_ids(target, part, self._active.settings.name)
        outcome = await targets.send(target, render(message, Format.TEXT, limit), ids)
        settled = [settle(one, outcome, clock.now()) for one in part]
        for delivery, one in zip(part, settled, strict=True):
            self._say(target, delivery, one, outcome)
        if isinstance(outcome, Sent):
            await self._settle(target, settled, works_again=target not in self._proven)
            self._proven.add(target)
            return True
        self._proven.discard(target)
        again = max((one.due_at for one in settled if one.due_at), default=clock.now() + DELIVERY_FIRST)
        await self._settle(target, [*settled, *(postpone(one, again) for one in rest)])
        return False

    async def _settle(self, target: str, settled: Sequence[Settled], *, works_again: bool = False) -> None:
        await self._database(
            self._store.settle, settled, pull_forward=target if works_again else None, now=self._clock.now()
        )

    def _say(self, target: str, delivery: Delivery, settled: Settled, outcome: Outcome) -> None:
        about = {
            "delivery_id": delivery.id,
            "event_id": f"gw-{delivery.event_id}",
            "target": target,
            "kind": delivery.event.kind.value,
            "job_id": delivery.event.job_id,
        }
        if isinstance(outcome, NotSent):
            last = settled.state is DeliveryState.FAILED
            self._metrics.delivery(target, "failed" if last else "retried")
            log.log(
                logging.ERROR if last else logging.WARNING,
                "delivery_given_up" if last else "delivery_failed",
                **about,
                reason=outcome.reason,
                attempts=settled.attempts,
                next_attempt_at=settled.due_at,
            )
        else:
            self._metrics.delivery(target, "sent")
            log.info("delivery_sent", **about, attempts=settled.attempts)


def _letters(deliveries: Sequence[Delivery]) -> list[tuple[int, Event]]:
    return [(one.event_id, one.event) for one in deliveries]
