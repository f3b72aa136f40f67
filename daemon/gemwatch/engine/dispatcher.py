"""Claims due deliveries, composes messages, sends them, and settles each delivery with its outcome."""

import asyncio
import logging
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from gemwatch.core.backoff import DELIVERY_FIRST
from gemwatch.core.clock import Clock
from gemwatch.core.events import Event
from gemwatch.core.message_ids import message_ids
from gemwatch.core.target_health import Aftermath, SentText
from gemwatch.core.text.compose import compose
from gemwatch.core.text.summary import fitting, summarise
from gemwatch.core.work import Bundle, Delivery, DeliveryState, NotSent, Outcome, Sent, Settled, postpone, settle
from gemwatch.engine.active_config import ActiveConfig
from gemwatch.engine.event_log import log_events
from gemwatch.engine.membership import Membership
from gemwatch.engine.ports import Database, Mark, Metrics, Store, Targets
from gemwatch.engine.target_states import TargetStates
from gemwatch.engine.wake_up import WakeUp

log = structlog.get_logger()

LEASE = timedelta(minutes=30)  # a process that dies during a send restarts much earlier
ASK_EVERY = 5.0  # seconds; sooner if the store has changed. A commit on a slow disk can show later than its mark
BUNDLE_TIME = timedelta(minutes=10)  # after that, the rest of a bundle is postponed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Nothing:
    """The store has nothing due for these targets until then, unless its mark changes."""

    targets: Sequence[str]
    mark: Hashable
    due_at: datetime | None
    ask_at: float


class Dispatcher:
    """Sends to all targets in parallel, one bundle at a time to each."""

    def __init__(
        self,
        *,
        active: ActiveConfig,
        store: Store,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        membership: Membership,
        mark: Mark,
        progress: Callable[[], None],
    ) -> None:
        self._active = active
        self._store = store
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._membership = membership
        self._mark = mark
        self._progress = progress
        self.wake_up = WakeUp()
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._states = TargetStates(active=active, clock=clock)
        self._proven: set[str] = set()  # targets that accepted the last message
        self._mine: frozenset[str] = frozenset()  # targets that no other replica sends to
        self._nothing: _Nothing | None = None
        self._jumped = timedelta()  # all jumps of the clock, and
        self._claimed_at: dict[str, timedelta] = {}  # those until the bundle that is being sent was read
        self._stopping = False

    async def run(self) -> None:
        """Deliver until stopped. An unexpected error ends this and then the program."""
        self._states.load(await self._database(self._store.target_health))
        async with asyncio.TaskGroup() as group:
            while not self._stopping:
                await self._claim(group)
                self._progress()
                await self.wake_up.wait(within=1)

    async def stop(self, patience: float) -> None:
        """Claim nothing more and give running sends `patience` seconds.

        The outcome of a cancelled send is unknown: its claim stays, and the next start sends it again.
        """
        self._stopping = True
        self.wake_up.set()
        if self._busy:
            await asyncio.wait(set(self._busy.values()), timeout=patience)
        for task in set(self._busy.values()):
            task.cancel()
        self.wake_up.set()

    def clock_jumped(self, by: timedelta) -> None:
        """Move what is remembered about targets and running sends as the store's schedule is moved."""
        self._states.clock_jumped(by)
        self._jumped += by

    @property
    def idle(self) -> bool:
        """Whether no message is being sent."""
        return not self._busy

    async def _claim(self, group: asyncio.TaskGroup) -> None:
        targets, now = self._active.targets, self._clock.now()
        self._states.follow_edits()
        mine = frozenset(filter(self._membership.sends_to, targets.names))
        if mine != self._mine:
            await self._take_over(mine)
        free = [
            one for one in targets.names if one in mine and one not in self._busy and not self._states.held(one, now)
        ]
        fallbacks = {name: other for name, other in self._states.fallbacks(now).items() if name in mine}
        if not free and not fallbacks:
            return
        mark = self._mark()  # before the store is read
        if not fallbacks and self._knows_nothing_is_due(free, mark, now):
            return
        jumped = self._jumped
        bundles, due_at = await self._database(self._claim_due, now, free, fallbacks, ahead=mark is not None)
        if mark is None or bundles:
            self._nothing = None
        else:
            ask_at = self._clock.monotonic() + ASK_EVERY
            self._nothing = _Nothing(targets=free, mark=mark, due_at=due_at, ask_at=ask_at)
        for bundle in bundles:
            self._claimed_at[bundle.target] = jumped
            self._busy[bundle.target] = group.create_task(self._deliver(bundle, targets))

    def _knows_nothing_is_due(self, free: Sequence[str], mark: Hashable | None, now: datetime) -> bool:
        last = self._nothing
        return (
            last is not None
            and (last.targets, last.mark) == (free, mark)
            and (last.due_at is None or now < last.due_at)
            and self._clock.monotonic() < last.ask_at
        )

    def _claim_due(
        self, now: datetime, free: Sequence[str], fallbacks: Mapping[str, str], *, ahead: bool
    ) -> tuple[list[Bundle], datetime | None]:
        """Claims; `ahead`: if nothing is due, reads when the next delivery is."""
        bundles = self._store.claim_deliveries(now, free, LEASE, fallbacks)
        return bundles, self._store.next_delivery(free) if ahead and not bundles else None

    async def _take_over(self, mine: frozenset[str]) -> None:
        """Another replica may have sent to these targets, and recorded how they are."""
        if mine - self._mine:
            self._states.load(await self._database(self._store.target_health), keep=self._mine)
        self._proven &= mine
        self._mine = mine

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
        """Send a bundle, in several parts if the service accepts only short messages. Stops after a failure."""
        rest = bundle.deliveries
        give_back_at = rest[0].claim + BUNDLE_TIME
        while rest:
            if self._stopping or self._clock.now() > give_back_at or not self._membership.sends_to(bundle.target):
                now = self._clock.now()
                await self._database(self._store.settle, [postpone(one, now) for one in rest], now=now)
                return
            size = len(rest)
            if (
                size > 1 and not bundle.missed
            ):  # missed deliveries become one message, which counts those that do not fit
                size = self._fitting(bundle.target, rest, targets)
            part, rest = rest[:size], rest[size:]
            if not await self._send(bundle.target, part, rest, targets, missed=bundle.missed):
                return

    async def _send(
        self, target: str, part: Sequence[Delivery], rest: Sequence[Delivery], targets: Targets, *, missed: bool
    ) -> bool:
        """Send one message and settle its deliveries. If that fails, postpone the rest too. Returns the success."""
        clock, now = self._clock, self._clock.now()
        context = self._active.context(target)
        if len(part) == 1:
            message = compose(part[0].event_id, part[0].event, now=now, context=context)
        else:
            message = summarise(_letters(part), now=now, context=context, missed=missed)
        rendered = targets.render(target, message)
        outcome = await targets.send(target, rendered, message_ids(target, part, self._active.settings.sender))
        jumped = self._jumped - self._claimed_at[target]
        settled = [settle(one, outcome, clock.now(), jumped=jumped) for one in part]
        for delivery, one in zip(part, settled, strict=True):
            self._log(target, delivery, one, outcome)
        carried = tuple(one.id for one in part)
        text = SentText(carried=carried, title=rendered.title, body=rendered.body, format=rendered.form)
        aftermath = self._states.after(target, outcome, text)
        if isinstance(outcome, Sent):
            recovered = target if target not in self._proven else None
            await self._record(settled, aftermath, outcome, recovered)
            self._proven.add(target)
            return True
        self._proven.discard(target)
        again = max((one.due_at for one in settled if one.due_at), default=clock.now() + DELIVERY_FIRST)
        await self._record([*settled, *(postpone(one, again) for one in rest)], aftermath, outcome)
        return False

    def _fitting(self, target: str, waiting: Sequence[Delivery], targets: Targets) -> int:
        """How many of these deliveries fit into one summary for this target."""
        room, context = targets.room(target), self._active.context(target)
        return fitting(_letters(waiting), room.most, room.form, headed=room.headed, context=context)

    async def _record(
        self, settled: Sequence[Settled], aftermath: Aftermath, outcome: Outcome, recovered: str | None = None
    ) -> None:
        """Settle deliveries and record the target's new state. `recovered`: its waiting deliveries become due."""
        events = await self._database(
            self._store.settle, settled, aftermath=aftermath, pull_forward=recovered, now=self._clock.now()
        )
        self._states.take(aftermath, outcome)
        log_events(events, self._metrics)

    def _log(self, target: str, delivery: Delivery, settled: Settled, outcome: Outcome) -> None:
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
