"""The two frequent operations: claim and report due watches, claim and settle due deliveries."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from gemwatch.adapters.store import dialects, outbox, rerouting
from gemwatch.adapters.store.audience import Audience, read_audience, write_audience
from gemwatch.adapters.store.claims import (
    MEMORY,
    Tickets,
    call_witness,
    claim_watches,
    next_due,
    report_quiet,
    standing,
)
from gemwatch.adapters.store.database import leading, reading, relaxed
from gemwatch.adapters.store.databases import refused_logins
from gemwatch.adapters.store.databases.replicas import ReplicaRow
from gemwatch.adapters.store.details import replace_details
from gemwatch.adapters.store.groups import changing, close_groups
from gemwatch.adapters.store.notes import write_notes
from gemwatch.adapters.store.runs import add_news
from gemwatch.adapters.store.tables import transitions, watches
from gemwatch.core.events import Event, Target
from gemwatch.core.lists.groups import GroupTerms
from gemwatch.core.runs import Run
from gemwatch.core.sharing.rate import Share
from gemwatch.core.sharing.watch_lists import merged
from gemwatch.core.target_health import Aftermath, TargetHealth
from gemwatch.core.work import Bundle, Recorded, RecordedEvent, Report, Settled, WatchClaim

_bind = sa.bindparam

_REPORT = (
    sa.update(watches)
    .where(
        watches.c.job_id == _bind("_job_id"),
        watches.c.claim == _bind("_claim"),
        watches.c.claimed_by == _bind("_me"),
    )
    .values(
        {
            **{name: _bind(name) for name in MEMORY},
            "fingerprint": sa.func.coalesce(_bind("_fingerprint"), watches.c.fingerprint),
            "polled_at": _bind("polled_at"),
            "due_at": _bind("due_at"),
            "claim": None,
        }
    )
)


class Store:
    """Every method is one transaction and safe to retry."""

    def __init__(self, engine: sa.Engine, targets: Sequence[Target] = (), member: ReplicaRow | None = None) -> None:
        """`member`: this daemon among several; None: it is the only writer."""
        self._engine = engine
        self._member, self._me = member, "" if member is None else member.id
        self._relaxed, self._reading = relaxed(engine), reading(engine)  # what is relaxed can be repeated
        self._tickets = Tickets(engine, self._me)
        self._terms: Mapping[str, GroupTerms] = {}
        self._audience = Audience(targets=tuple(targets))
        self._unanswered = outbox.Unanswered()

    def address(
        self, targets: Sequence[Target], groups: Mapping[str, GroupTerms] | None = None, *, only_add: bool = False
    ) -> None:
        """Deliver future events to these targets. `groups`: their terms. Call this together with the watch list.

        Of several replicas, the leader does this for all. `only_add`: no target receives less than before.
        """
        self._terms = groups or {}
        quiet = frozenset(name for name, terms in self._terms.items() if terms.quiet)
        self._audience = Audience(targets=tuple(targets), quiet=quiet)
        if self._member is not None:
            with leading(self._engine).begin() as connection:
                before = read_audience(connection) if only_add else None
                if before is not None:
                    both = merged(self._audience.targets, before.targets)
                    self._audience = Audience(targets=both, quiet=quiet & before.quiet)
                write_audience(connection, self._audience)

    def claim_watches(
        self, now: datetime, most: int, lease: timedelta, share: Share | None = None
    ) -> list[WatchClaim]:
        """Claim up to `most` due watches, the longest due first. They stay claimed until the lease ends.

        `share`: with several replicas, the part of the watches that this one claims first.
        """
        self._tickets.release_unanswered()
        with self._tickets.claiming(self._relaxed, now) as connection:
            if self._member is not None and not self._member.may_claim(connection):
                return []
            return claim_watches(connection, self._me, now, most, lease, share=share)

    def next_due(self, share: Share | None = None) -> datetime | None:
        """When the next watch may be claimed with this share, or the next lease ends; None if nothing is polled."""
        self._tickets.release_unanswered()
        with self._reading.begin() as connection:
            return next_due(connection, share)

    def call_witness(self, now: datetime, job_id: int) -> bool:
        """Make another job due that has not been refused and is not being polled. Returns whether there is one.

        Its answer shows whether the refusal concerns the login or only this job. A running poll would not show that:
        its request may be older than the refusal.
        """
        with self._engine.begin() as connection:
            return call_witness(connection, job_id, now)

    def record(
        self,
        reports: Sequence[Report],
        happened: Sequence[Event] = (),
        notes: Mapping[str, Any] | None = None,
        *,
        as_leader: bool = False,
    ) -> Recorded:
        """Record polls with their transitions, events and deliveries, and changes of the service itself.

        Ignores a report without a valid claim (the job was unwatched in the meantime). The current watch list and
        targets determine the job's name and which targets receive an event. A replica's refused login is recorded
        once, and so is its end. `as_leader`: raise NotLeaderError, and record nothing, if another replica leads.
        """
        quiet = [report for report in reports if report.quiet]
        more = [report for report in reports if _says_more(report)]
        plain = [report for report in reports if not (report.quiet or _says_more(report))]
        durable = happened or notes or any(map(_is_news, more))
        engine = self._engine if durable else self._relaxed
        with (leading(engine) if as_leader else engine).begin() as connection:
            dialects.lock(connection, watches.c.job_id, [report.verdict.job_id for report in reports])
            stand = self._unanswered.standing(connection, happened) if happened else []
            again = [one.event for one in stand]
            fresh = [event for event in happened if event not in again]
            if self._member is not None and fresh:
                fresh = refused_logins.to_report(connection, self._me, fresh)
            events = [*stand, *self._add(connection, fresh)]
            write_notes(connection, notes or {})
            if quiet:
                report_quiet(connection, self._me, quiet)
            if plain:
                connection.execute(_REPORT, [self._row(report) for report in plain])
            valid = standing(connection, self._me, more) if more else []
            of_jobs, runs = self._record_more(connection, valid) if valid else ([], [])
        if not durable:
            self._tickets.recorded(report.claim for report in reports)
        self._unanswered.answered()
        return Recorded(reports=tuple(filter(_is_news, valid)), events=(*events, *of_jobs), runs=tuple(runs))

    def end_refused_logins(self, now: datetime) -> list[RecordedEvent]:
        """Report refused logins that are over because their replicas are gone."""
        with leading(self._engine).begin() as connection:
            return self._add(connection, list(refused_logins.ended(connection, now)))

    def close_groups(self, now: datetime) -> list[RecordedEvent]:
        """Close and report the groups that are done."""
        with self._reading.begin() as connection:
            if not changing(connection, self._terms, now):
                return []
        with leading(self._engine).begin() as connection:
            done = close_groups(connection, self._terms, now)
            return self._add(connection, done)

    def claim_deliveries(
        self, now: datetime, targets: Iterable[str], lease: timedelta, fallbacks: Mapping[str, str] | None = None
    ) -> list[Bundle]:
        """Claim the next deliveries for each of these targets: one, or a bundle if more than MANY wait.

        `fallbacks`: by targets that are down, the targets to which their waiting deliveries go first.
        """
        self._tickets.release_unanswered()
        with self._reading.begin() as connection:
            due = outbox.with_due(connection, targets, now)
        if not due and not fallbacks:
            return []
        with self._tickets.claiming(self._engine if fallbacks else self._relaxed, now) as connection:
            if self._member is not None:
                if not self._member.may_claim(connection):
                    return []
                due = self._member.sendable(connection, due)
            for down, fallback in (fallbacks or {}).items():
                rerouting.reroute(connection, down, fallback, now)
            bundles = [outbox.claim(connection, target, self._me, now, lease) for target in due]
        return [bundle for bundle in bundles if bundle is not None]

    def next_delivery(self, targets: Iterable[str]) -> datetime | None:
        """When the next delivery to one of these targets is due, including the end of leases; None if none is."""
        with self._reading.begin() as connection:
            return outbox.next_due(connection, targets)

    def settle(
        self,
        settled: Sequence[Settled],
        *,
        aftermath: Aftermath | None = None,
        pull_forward: str | None = None,
        now: datetime,
    ) -> list[RecordedEvent]:
        """Record the results of attempts and the target's new health. Returns the resulting events.

        `pull_forward` names a recovered target, whose waiting deliveries become due. Records nothing if no claim is
        valid: another replica has taken over.
        """
        with self._engine.begin() as connection:
            if not outbox.settle(connection, self._me, settled):
                return []
            events = [] if aftermath is None else self._record_aftermath(connection, aftermath, now)
            if pull_forward is not None:
                outbox.pull_forward(connection, pull_forward, now)
        return events

    def target_health(self) -> dict[str, TargetHealth]:
        """The health of every target that has ever failed."""
        with self._engine.begin() as connection:
            return rerouting.read_health(connection)

    def _record_aftermath(
        self, connection: sa.Connection, aftermath: Aftermath, now: datetime
    ) -> list[RecordedEvent]:
        target = aftermath.target
        if aftermath.health is not None:
            rerouting.write_health(connection, target, aftermath.health)
        if aftermath.text is not None:
            rerouting.keep_text(connection, aftermath.text, now)
        if aftermath.recovered_from is not None:
            rerouting.give_back(connection, target, aftermath.missed, aftermath.recovered_from, now)
        if aftermath.fallback is not None:
            rerouting.reroute(connection, target, aftermath.fallback, now)
        return self._add(connection, aftermath.events)

    def pull_forward(self, target: str, now: datetime) -> None:
        """Make a target's waiting deliveries due now, because it has probably recovered."""
        with self._engine.begin() as connection:
            outbox.pull_forward(connection, target, now)

    def _row(self, report: Report) -> dict[str, Any]:
        verdict = report.verdict
        return {
            **{name: getattr(verdict.memory, name) for name in MEMORY},
            "_job_id": verdict.job_id,
            "_claim": report.claim,
            "_me": self._me,
            "_fingerprint": report.fingerprint,
            "polled_at": report.at,
            "due_at": verdict.due_at,
        }

    def _record_more(
        self, connection: sa.Connection, valid: Sequence[Report]
    ) -> tuple[list[RecordedEvent], list[Run]]:
        """Record polls with a changed answer or news, and their events."""
        connection.execute(_REPORT, [self._row(report) for report in valid])
        answers = [seen for report in valid if report.fingerprint is not None and (seen := report.verdict.seen)]
        if answers:
            replace_details(connection, answers)
        moves = [row for report in valid if (row := _transition(report)) is not None]
        if moves:
            connection.execute(sa.insert(transitions), moves)
        happened, runs = add_news(connection, [report.verdict for report in valid if _is_news(report)])
        return self._add(connection, happened), runs

    def _add(self, connection: sa.Connection, happened: Sequence[Event]) -> list[RecordedEvent]:
        """Record events for those who receive them: of several replicas, as the leader has written it."""
        if not happened:
            return []
        shared = None if self._member is None else read_audience(connection)
        audience = shared or self._audience
        return outbox.add_events(connection, happened, audience.targets, audience.quiet)


def _is_news(report: Report) -> bool:
    return bool(report.verdict.transition or report.verdict.events)


def _says_more(report: Report) -> bool:
    """Whether there is more to record than the job's memory and the times of the poll."""
    return report.fingerprint is not None or _is_news(report)


def _transition(report: Report) -> dict[str, Any] | None:
    move, seen = report.verdict.transition, report.verdict.seen
    if move is None or seen is None:
        return None
    return {
        "job_id": report.verdict.job_id,
        "before": move.before,
        "after": move.job.status,
        "last_seen_before": move.last_seen_before,
        "observed_at": move.observed_at,
        "failure": list(move.job.failure) or None,
        "answer": seen.raw,
    }
