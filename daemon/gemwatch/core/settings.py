"""The configuration as frozen values, and the differences between two configurations."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TypeAlias

from gemwatch.core.events import Target
from gemwatch.core.gate import Gate
from gemwatch.core.limits import Limits

DEFAULT_BASE_URL = "https://api.tomtom.com/maps/orbis/platform/gem"
DEFAULT_TOKEN_COMMAND = (
    "az",
    "account",
    "get-access-token",
    "--scope",
    "https://gem.core.orbis.tomtom.com/user_impersonation",
    "--output",
    "json",
)


DEFAULT_AZURE_SCOPE = "https://gem.core.orbis.tomtom.com/.default"  # azure-identity cannot request a delegated scope


class AzureCredential(StrEnum):
    """Which of azure-identity's credentials logs in."""

    CLI = "cli"
    SERVICE_PRINCIPAL = "service-principal"
    MANAGED_IDENTITY = "managed-identity"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSource:
    """A login with azure-identity. Missing values come from AZURE_TENANT_ID and similar variables."""

    credential: AzureCredential
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scope: str = DEFAULT_AZURE_SCOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """The source of the bearer token: exactly one of the first four is set.

    `withheld`: the environment variables that the token command does not get.
    """

    command: tuple[str, ...] | None = None
    file: Path | None = None
    value: str | None = field(default=None, repr=False)
    azure: AzureSource | None = None
    withheld: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How to request the GEM API. `timeout` is for a whole request. `max_rate`: requests per second, 0 = no limit."""

    key: str = field(repr=False)
    base_url: str = DEFAULT_BASE_URL
    token: TokenSource = field(default_factory=lambda: TokenSource(command=DEFAULT_TOKEN_COMMAND))
    timeout: timedelta = timedelta(seconds=30)
    max_in_flight: int = 16
    max_rate: float = 4  # TomTom's usual quota is 5


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSettings:
    every: timedelta = timedelta(seconds=60)
    not_found_after: int = 3
    alert_after: timedelta = timedelta(minutes=10)
    list_every: timedelta = timedelta(minutes=5)
    adaptive: bool = False  # poll rarely while a job is far from its likely end: core/estimates/cadence.py
    sweep: bool = False  # one list for many jobs: engine/lister.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """An entry of the watch list. `notify` None: every target. Other values that are None: as for all."""

    job_id: int
    name: str | None = None
    notify: tuple[str, ...] | None = None
    every: timedelta | None = None
    limits: Limits | None = None
    gate: Gate | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Finds jobs in the list of the account. At least one of the four shell patterns is set.

    `max`: how many unfinished jobs it may watch. `watch` is what their watches are like: its `job_id` is 0, and its
    name may contain fields in braces.
    """

    job_type: str | None = None
    storage: str | None = None
    input: str | None = None
    release: str | None = None
    requested_within: timedelta = timedelta(days=7)
    max: int = 1000
    watch: Watch = Watch(job_id=0)


class Members(StrEnum):
    """Whether the successes of a group's members are sent to those who receive the group's `group-done`."""

    EACH = "each"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings:
    """When a group is done: core/lists/groups.py. `settle` None: 10 minutes if a rule feeds the group, else none."""

    name: str
    expect: int | None = None
    settle: timedelta | None = None
    members: Members = Members.EACH


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgresql:
    """A PostgreSQL database. What is None, PostgreSQL's client library decides. `options` are its own: sslmode ..."""

    database: str
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The URL without the password and the options."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in (self.host or "") else self.host or ""
        port = f":{self.port}" if self.port else ""
        return f"postgresql+psycopg://{user}{host}{port}/{self.database}"


Place: TypeAlias = Path | Postgresql


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """`place` is a PostgreSQL database, or the absolute path of the SQLite file, which may contain any character."""

    place: Place
    keep: timedelta = timedelta(days=365)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """The HTTP server: its address (`host` None: off), access and names.

    `token` None: open to all clients that reach it, so it then listens on loopback only. `metrics` "open" and
    `badge` "open" need no token. `public_url` has no trailing slash, and its host is one of `hosts`. `proxies` are
    the networks whose X-Forwarded-For header is trusted.
    """

    host: str | None = "127.0.0.1"
    port: int = 8042
    token: str | None = field(default=None, repr=False)
    metrics: str = "open"  # open | token
    hosts: tuple[str, ...] = ()
    public_url: str | None = None
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    badge: str = "login"  # login | open


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSettings:
    """A dead man's switch, and how often to call it."""

    url: str = field(repr=False)
    every: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    level: str = "info"  # debug | info | warning | error
    format: str = "auto"  # auto | console | json


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole, valid configuration. `name` is the name of this instance, by default the host name."""

    api: ApiSettings
    store: StoreSettings
    poll: PollSettings = PollSettings()
    targets: tuple[Target, ...] = ()
    watches: tuple[Watch, ...] = ()
    discover: tuple[Rule, ...] = ()
    groups: tuple[GroupSettings, ...] = ()
    limits: Limits | None = None
    gate: Gate | None = None
    heartbeat: HeartbeatSettings | None = None
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    name: str = "gemwatch"

    @property
    def sender(self) -> str:
        """For ids of messages: the same for all daemons that share a store, since one may repeat another's send."""
        return self.store.place.database if isinstance(self.store.place, Postgresql) else self.name


class Severity(StrEnum):
    """The effect of a problem: an error refuses the configuration or one entry, a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in the configuration, with its place. Line and column count from 1.

    `entry` errors concern one entry of the watch list: that entry is skipped and the rest is applied. Every other
    error refuses the whole configuration.
    """

    file: Path
    line: int
    column: int
    where: str
    what: str
    entry: bool = False
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        severity = "warning: " if self.severity is Severity.WARNING else ""
        return f"{self.file}:{self.line}:{self.column}: {severity}{self.where}: {self.what}"


READ_AT_START = ("name", "store", "web", "log")
"""The sections that only take effect after a restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The result of reading a configuration. `settings` None: refused. Otherwise `problems` concern skipped entries.

    `warnings` concern valid but unwise values.
    """

    settings: Settings | None
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """How many watches an edit of the watch list added (or resumed), changed and removed."""

    added: int = 0
    changed: int = 0
    removed: int = 0


def as_running(old: Settings, new: Settings) -> Settings:
    """The new settings, with the old values of the sections that need a restart."""
    return replace(new, **{name: getattr(old, name) for name in READ_AT_START})


def needs_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """The sections that differ and need a restart."""
    return tuple(name for name in READ_AT_START if getattr(old, name) != getattr(new, name))
