"""The configuration as frozen values, and what changes between two of them."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

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


DEFAULT_AZURE_SCOPE = "https://gem.core.orbis.tomtom.com/.default"  # azure-identity cannot ask for a delegated one


class AzureCredential(StrEnum):
    """Which of azure-identity's credentials logs in."""

    CLI = "cli"
    SERVICE_PRINCIPAL = "service-principal"
    MANAGED_IDENTITY = "managed-identity"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSource:
    """A login by azure-identity. What it needs and is None is taken from AZURE_TENANT_ID and the like."""

    credential: AzureCredential
    tenant_id: str | None = None
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    scope: str = DEFAULT_AZURE_SCOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSource:
    """Where the bearer token comes from: exactly one of the first four is set.

    `withheld`: the variables that the configuration refers to, which a command does not get.
    """

    command: tuple[str, ...] | None = None
    file: Path | None = None
    value: str | None = field(default=None, repr=False)
    azure: AzureSource | None = None
    withheld: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """How the GEM API is asked. `timeout` is for a whole request; `max_rate` is requests a second, 0 = no limit."""

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
    adaptive: bool = False  # rarely while a job is far from its likely end: core/estimates/cadence.py
    sweep: bool = False  # one list for many jobs: engine/lister.py


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """An entry of the watch list. `notify` None: every target; what else is None: as for all."""

    job_id: int
    name: str | None = None
    notify: tuple[str, ...] | None = None
    every: timedelta | None = None
    limits: Limits | None = None
    gate: Gate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """`path` is the absolute path of the SQLite file, with whatever characters it has."""

    path: Path
    keep: timedelta = timedelta(days=365)

    @property
    def url(self) -> str:
        """For SQLAlchemy. It is not to be parsed again: a path may hold characters that mean more in a URL."""
        return f"sqlite:///{self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the HTTP server listens (`host` None: it does not), who may see what, and by which names it is known.

    `token` None: everybody who reaches it, which is why it then listens on loopback only. `metrics` "open" and
    `badge` "open" need no token. `public_url` has no slash at its end, and its host is one of `hosts`. `proxies`
    are the networks whose X-Forwarded-For header is believed.
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
    """A dead man's switch and how often it is called."""

    url: str = field(repr=False)
    every: timedelta = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    level: str = "info"  # debug | info | warning | error
    format: str = "auto"  # auto | console | json


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a configuration says, checked. `name` is this instance's, by default the host's."""

    api: ApiSettings
    store: StoreSettings
    poll: PollSettings = PollSettings()
    targets: tuple[Target, ...] = ()
    watches: tuple[Watch, ...] = ()
    limits: Limits | None = None
    gate: Gate | None = None
    heartbeat: HeartbeatSettings | None = None
    web: WebSettings = WebSettings()
    log: LogSettings = LogSettings()
    name: str = "gemwatch"


class Severity(StrEnum):
    """What a problem does: an error refuses the configuration or one entry, a warning is only shown."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One mistake in the configuration, with its place. Line and column count from 1.

    `entry` errors are about one entry of the watch list: that entry is skipped and the rest is applied. Every other
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
"""The sections that a running daemon keeps until it is restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A configuration as read. `settings` None: it is refused; else `problems` are about entries that are skipped.

    `warnings` are about what is allowed but unwise.
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
    """The new settings with the sections of the running ones that are only read at a start."""
    return replace(new, **{name: getattr(old, name) for name in READ_AT_START})


def needs_restart(old: Settings, new: Settings) -> tuple[str, ...]:
    """The sections that differ but are only read at a start."""
    return tuple(name for name in READ_AT_START if getattr(old, name) != getattr(new, name))
