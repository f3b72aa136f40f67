"""The tables, which make a long file. A test checks that they agree with the migrations."""

from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """A time in the store's form: whole microseconds since 1970 UTC."""
    return (time - EPOCH) // MICROSECOND


def shifted(column: sa.Column[datetime], by: timedelta) -> sa.ColumnElement[int]:
    """The time of a column moved by so much, in the store's form."""
    return sa.type_coerce(column, sa.BigInteger) + by // MICROSECOND


class Time(sa.TypeDecorator[datetime]):
    """An aware datetime as whole microseconds since 1970 UTC.

    SQLite has no time type, and SQLAlchemy's type drops the offset without converting. Integers always sort and
    compare correctly.
    """

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        _ = dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        _ = dialect
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Span(sa.TypeDecorator[timedelta]):
    """A timedelta as whole microseconds."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: timedelta | None, dialect: Dialect) -> int | None:
        _ = dialect
        return None if value is None else value // MICROSECOND

    def process_result_value(self, value: Any, dialect: Dialect) -> timedelta | None:
        _ = dialect
        return None if value is None else timedelta(microseconds=value)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows automatically only if the key's type is exactly INTEGER.
_DUE = sa.text("due_at IS NOT NULL")
_Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

watches = sa.Table(
    "watches",
    metadata,
    sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
    # as configured
    sa.Column("watched", sa.Boolean, nullable=False),
    sa.Column("unwatched_at", Time),
    sa.Column("name", sa.Text),
    sa.Column("notify", sa.JSON(none_as_null=True)),
    sa.Column("every", Span, nullable=False),
    sa.Column("limits", sa.JSON(none_as_null=True)),  # only the watch's own values
    sa.Column("gate", sa.JSON(none_as_null=True)),
    sa.Column("rule", sa.Text),  # the key of the rule that made the watch; NULL: the watch list
    sa.Column("group_name", sa.Text),  # kept when the job is unwatched
    # the memory of a job: core/polls/tracked.py
    sa.Column("status", sa.Text),
    sa.Column("status_since", Time),
    sa.Column("seen_at", Time),
    sa.Column("running_since", Time),
    sa.Column("last_end", Time),
    sa.Column("misses", sa.Integer, nullable=False, server_default="0"),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("refused_at", Time),
    sa.Column("reported_missing", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("reported_refused", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("last_error", sa.Text),
    sa.Column("reported_limits", sa.Text),
    sa.Column("reported_statuses", sa.Text),
    sa.Column("clock_at", Time),
    # other values from the last poll; the answer itself is in `details`
    sa.Column("fingerprint", sa.BigInteger),  # of the answer: core/work.py
    sa.Column("job_type", sa.Text),
    sa.Column("needs_review", sa.JSON(none_as_null=True)),  # the reasons, if the last end needs review
    # the schedule
    sa.Column("polled_at", Time),
    sa.Column("due_at", Time),
    sa.Column("claim", Time),
    sa.Column("claimed_by", sa.Text),  # the replica with the claim; has no meaning without one
    sa.Index(None, "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
    sa.Index(None, "group_name"),
)

details = sa.Table(
    "details",
    metadata,
    # The last answer about each job, parsed and unchanged. Only written when the answer has changed.
    sa.Column(
        "job_id",
        sa.BigInteger,
        sa.ForeignKey("watches.job_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("storage_id", sa.Text),
    sa.Column("input_filename", sa.Text),
    sa.Column("result_filename", sa.Text),
    sa.Column("job_type", sa.Text),
    sa.Column("overture_release", sa.Text),
    sa.Column("orbis_version", sa.Text),
    sa.Column("requested_at", Time),
    sa.Column("confidence_threshold", sa.Integer),
    sa.Column("execution_time", Span),
    sa.Column("kilometres", sa.Float),
    sa.Column("roads", sa.Integer),
    sa.Column("matched", sa.Float),
    sa.Column("fully_matched", sa.Float),
    sa.Column("partially_matched", sa.Float),
    sa.Column("unmatched", sa.Float),
    sa.Column("unclear", sa.JSON(none_as_null=True)),  # names of ratios that could not be read
    sa.Column("failure", sa.JSON(none_as_null=True)),  # GEM's own reason, as texts
    sa.Column("answer", sa.Text, nullable=False),  # the JSON text as it came
)

transitions = sa.Table(
    "transitions",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("watches.job_id", ondelete="CASCADE"), nullable=False),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("last_seen_before", Time),
    sa.Column("observed_at", Time, nullable=False),
    sa.Column("failure", sa.JSON(none_as_null=True)),  # GEM's own reason, as texts
    sa.Column("answer", sa.Text, nullable=False),  # the JSON text as it came
    sa.Index(None, "job_id", "id"),
    sqlite_autoincrement=True,
)

runs = sa.Table(
    "runs",
    metadata,
    # One row for each end of a job: core/runs.py. The basis of estimates, gates and comparisons.
    sa.Column("id", _Id, primary_key=True),
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("watches.job_id", ondelete="CASCADE"), nullable=False),
    sa.Column("ended_at", Time, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("storage_id", sa.Text),
    sa.Column("input_filename", sa.Text),
    sa.Column("job_type", sa.Text),
    sa.Column("overture_release", sa.Text),
    sa.Column("orbis_version", sa.Text),
    sa.Column("requested_at", Time),
    sa.Column("queued", Span),
    sa.Column("ran", Span),
    sa.Column("confidence_threshold", sa.Integer),
    sa.Column("kilometres", sa.Float),
    sa.Column("roads", sa.Integer),
    sa.Column("matched", sa.Float),
    sa.Column("fully_matched", sa.Float),
    sa.Column("partially_matched", sa.Float),
    sa.Column("unmatched", sa.Float),
    sa.Index(None, "job_id"),
    sa.Index(None, "storage_id", "input_filename", "job_type"),
    sa.Index(None, "job_type"),
    sqlite_autoincrement=True,
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", Time, nullable=False),
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("watches.job_id", ondelete="CASCADE")),
    sa.Column("name", sa.Text),  # the job's name at that time
    sa.Column("facts", sa.JSON, nullable=False),  # core/kinds.py, as facts_codec.py writes it
    sa.Index(None, "job_id"),
    sqlite_autoincrement=True,  # messages contain event ids, so an id is never reused
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("id", _Id, primary_key=True),
    sa.Column("event_id", sa.BigInteger, sa.ForeignKey("events.id", ondelete="CASCADE"), nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),  # pending | sent | failed | rerouted
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("expires_at", Time, nullable=False),
    sa.Column("due_at", Time),  # NULL once it is sent or failed
    sa.Column("claim", Time),
    sa.Column("sent_at", Time),
    sa.Column("last_error", sa.Text),
    sa.Column("rerouted_from", sa.Text),  # the original target: a fallback's rows are not rerouted again
    sa.Column("rerouted_at", Time),
    sa.Column("missed", sa.Text),  # summary | each: the target has recovered and receives what was rerouted
    sa.Column("message_id", sa.BigInteger),  # the sent text, while it is kept
    sa.Column("claimed_by", sa.Text),  # as in `watches`
    sa.UniqueConstraint("event_id", "target"),
    sa.Index(None, "target", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
    sa.Index(None, "state"),
    sqlite_autoincrement=True,
)

messages = sa.Table(
    "messages",
    metadata,
    # The sent texts, kept for 30 days. A summary is one message for many deliveries.
    sa.Column("id", _Id, primary_key=True),
    sa.Column("at", Time, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("format", sa.Text, nullable=False),
    sa.Index(None, "at"),
    sqlite_autoincrement=True,  # a delivery whose text was deleted must not refer to a later one
)

target_health = sa.Table(
    "target_health",
    metadata,
    # Targets that have failed at least once: core/target_health.py.
    sa.Column("target", sa.Text, primary_key=True),
    sa.Column("failing_since", Time),
    sa.Column("refused_at", Time),
    sa.Column("down_since", Time),
    sa.Column("reason", sa.Text),
    sa.Column("probes", sa.Integer, nullable=False, server_default="0"),
    sa.Column("probe_at", Time),
    sa.Column("hold_until", Time),
    sa.Column("announced_at", Time),
    sa.Column("announced", sa.Boolean, nullable=False, server_default=sa.false()),
)

service = sa.Table(
    "service",
    metadata,
    # The daemon's notes for commands and the next start: one row per note.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.JSON(none_as_null=True)),
)

leases = sa.Table(
    "leases",
    metadata,
    # Which daemon uses a PostgreSQL store. A SQLite file has a lock of the operating system instead.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text, nullable=False),  # random for each start of a daemon
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("expires_at", Time, nullable=False),  # by the database's clock
)

replicas = sa.Table(
    "replicas",
    metadata,
    # The daemons on a PostgreSQL store: core/sharing/replicas.py. SQLite has no rows. Times are by the database.
    sa.Column("id", sa.Text, primary_key=True),  # random for each start
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Text, nullable=False),
    sa.Column("started_at", Time, nullable=False),
    sa.Column("seen_at", Time, nullable=False),  # when the daemon last refreshed this row
    sa.Column("login", sa.Text, nullable=False),  # core/health.py
    sa.Column("watch_list", sa.Text),  # a hash of its configured watch list
)

ended_sessions = sa.Table(
    "ended_sessions",
    metadata,
    # Web sessions that ended with a logout, until their cookies would have expired.
    sa.Column("digest", sa.Text, primary_key=True),  # SHA-256 of the session's id, in hexadecimal
    sa.Column("expires_at", Time, nullable=False),
)

rules = sa.Table(
    "rules",
    metadata,
    # When each rule was first applied: core/lists/rules.py. `seen_at`: when it was last in force.
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("applied_at", Time, nullable=False),
    sa.Column("seen_at", Time, nullable=False),
)

discovered = sa.Table(
    "discovered",
    metadata,
    # The jobs that a rule added, each once, and those that `unwatch` keeps away.
    sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("rule", sa.Text),
    sa.Column("excluded", sa.Boolean, nullable=False),
    sa.Column("storage_id", sa.Text),  # these fields as in the list, for names and windows
    sa.Column("input_filename", sa.Text),
    sa.Column("release", sa.Text),
    sa.Column("job_type", sa.Text),
    sa.Column("requested_at", Time),
    sa.Column("listed_at", Time, nullable=False),
)

groups = sa.Table(
    "groups",
    metadata,
    # Groups of jobs: core/lists/groups.py. Members are in `watches.group_name`. `done_at` NULL: the group is open.
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("member_added_at", Time, nullable=False),
    sa.Column("idle_since", Time),  # nothing has been running since then
    sa.Column("done_at", Time),
)

learned_runs = sa.Table(
    "learned_runs",
    metadata,
    # Runs of jobs that were never watched, from lists: the columns of `runs`, for estimates and comparisons.
    sa.Column("job_id", sa.BigInteger, primary_key=True, autoincrement=False),
    *(
        sa.Column(column.name, column.type, nullable=column.nullable)
        for column in runs.c
        if column.name not in ("id", "job_id")
    ),
    sa.Index(None, "storage_id", "input_filename", "job_type"),
)
