"""The interfaces that the engine needs. The adapters implement them."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ParamSpec, Protocol, TypeVar

from gemwatch.core.estimates.estimate import Experience
from gemwatch.core.events import Event, Target
from gemwatch.core.health import Login
from gemwatch.core.job import JobDetails, Observation
from gemwatch.core.kinds import Kind
from gemwatch.core.listing import Listed, Listing, Swept
from gemwatch.core.lists.groups import GroupTerms
from gemwatch.core.login import LoginError, Token
from gemwatch.core.message_ids import MessageIds
from gemwatch.core.runs import Run
from gemwatch.core.settings import Applied, Rule, Watch
from gemwatch.core.sharing.rate import Share
from gemwatch.core.sharing.replicas import Refreshed
from gemwatch.core.sharing.watch_lists import WatchListMark
from gemwatch.core.target_health import Aftermath, TargetHealth
from gemwatch.core.text.message import Message
from gemwatch.core.text.rendering import Rendered, Room
from gemwatch.core.work import Bundle, Discovered, Outcome, Recorded, RecordedEvent, Report, Settled, WatchClaim

P = ParamSpec("P")
T = TypeVar("T")


class Database(Protocol):
    """Runs a method of the store in the store's thread. Returns after the commit."""

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T: ...


class Mark(Protocol):
    """Two equal marks: nothing was written to the store between them. None: it cannot be known."""

    def __call__(self) -> Hashable | None: ...


class Store(Protocol):
    """Due watches and due deliveries."""

    def claim_watches(
        self, now: datetime, most: int, lease: timedelta, share: Share | None = None
    ) -> list[WatchClaim]: ...

    def next_due(self, share: Share | None = None) -> datetime | None: ...

    def call_witness(self, now: datetime, job_id: int) -> bool: ...

    def record(
        self,
        reports: Sequence[Report],
        happened: Sequence[Event] = (),
        notes: Mapping[str, Any] | None = None,
        *,
        as_leader: bool = False,
    ) -> Recorded: ...

    def address(
        self, targets: Sequence[Target], groups: Mapping[str, GroupTerms], *, only_add: bool = False
    ) -> None: ...

    def close_groups(self, now: datetime) -> Sequence[RecordedEvent]: ...

    def end_refused_logins(self, now: datetime) -> Sequence[RecordedEvent]: ...

    def pull_forward(self, target: str, now: datetime) -> None: ...

    def claim_deliveries(
        self, now: datetime, targets: Iterable[str], lease: timedelta, fallbacks: Mapping[str, str]
    ) -> list[Bundle]: ...

    def next_delivery(self, targets: Iterable[str]) -> datetime | None: ...

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        aftermath: Aftermath | None = None,
        pull_forward: str | None = None,
        now: datetime,
    ) -> Sequence[RecordedEvent]: ...

    def target_health(self) -> Mapping[str, TargetHealth]: ...


class Member(Protocol):
    """This daemon among the replicas that share a store."""

    @property
    def id(self) -> str: ...

    def refresh(self, login: Login, watch_list: str | None, targets: Collection[str]) -> Refreshed: ...


class Api(Protocol):
    """The GEM API: one request returns one value. Failures never raise."""

    async def ask(self, job_id: int, token: str) -> Observation: ...

    async def list_jobs(self, job_type: str, token: str, page: str | None = None) -> Listed: ...

    async def close(self) -> None: ...


class Credentials(Protocol):
    """Provides tokens. Raises LoginError."""

    async def token(self) -> Token: ...

    async def renew(self, stale: Token | None) -> Token: ...

    async def refresh_if_due(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def expires_at(self) -> datetime | None: ...

    @property
    def last_error(self) -> LoginError | None: ...

    @property
    def remedy(self) -> str: ...


class Targets(Protocol):
    """The targets that receive messages."""

    @property
    def names(self) -> tuple[str, ...]: ...

    def room(self, name: str) -> Room: ...

    def render(self, name: str, message: Message) -> Rendered: ...

    async def send(self, name: str, message: Rendered, ids: MessageIds | None = None) -> Outcome: ...

    def close(self) -> None: ...


class Listings(Protocol):
    """Which watched jobs a list can cover."""

    def job_types(self, every: timedelta) -> Mapping[str, int]: ...

    def record(self, listing: Listing, every: timedelta, sent_at: datetime, *, after: int, many: int) -> Swept: ...


class Discoveries(Protocol):
    """The watches that rules make."""

    def add(
        self,
        found: Sequence[tuple[Rule, JobDetails]],
        listed: Collection[int],
        every: timedelta,
        now: datetime,
    ) -> Discovered: ...

    def doubtful(self, found: Sequence[tuple[Rule, JobDetails]]) -> Sequence[int]: ...

    def end(self, in_force: Sequence[Rule], now: datetime) -> int: ...


class Learning(Protocol):
    """The runs that were learned from lists."""

    def is_new(self, began: datetime) -> bool: ...

    def add(self, found: Sequence[Run]) -> int: ...

    def marker(self) -> tuple[int, int | None]: ...

    def experience(self) -> Experience: ...


class Metrics(Protocol):
    def poll(self, outcome: str, seconds: float) -> None: ...

    def lateness(self, seconds: float) -> None: ...

    def sweep(self, outcome: str) -> None: ...

    def transition(self, to: str) -> None: ...

    def event(self, kind: Kind) -> None: ...

    def delivery(self, target: str, outcome: str) -> None: ...

    def reload(self, ok: bool, at: datetime) -> None: ...  # noqa: FBT001 (called with its name)


class WatchList(Protocol):
    def mark(self) -> WatchListMark | None: ...

    def apply(
        self,
        wanted: Sequence[Watch],
        every: timedelta,
        now: datetime,
        rules: Sequence[Rule] = (),
        *,
        mark: WatchListMark | None = None,
        only_add: bool = False,
    ) -> Applied: ...

    def poll_soon(self, now: datetime) -> None: ...


class Housekeeping(Protocol):
    def expire_deliveries(self, now: datetime, known: Iterable[str]) -> list[str]: ...

    def shift_schedule(self, by: timedelta, now: datetime) -> None: ...

    def pull_back(self, now: datetime) -> int: ...

    def prune(self, before: datetime, *, lists_known: bool) -> int: ...

    def prune_texts(self, now: datetime) -> None: ...

    def note(self, notes: Mapping[str, Any]) -> None: ...

    def notes(self) -> Mapping[str, Any]: ...

    def checkpoint(self) -> None: ...

    def has_open_groups(self) -> bool: ...
