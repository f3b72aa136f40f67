"""A store as it stands after some weeks of use, for pictures and for looking at every state of the pages."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from gemwatch.adapters.store.database import open_to_write
from gemwatch.adapters.store.details import replace_details
from gemwatch.adapters.store.schema import upgrade
from gemwatch.adapters.store.tables import deliveries, events, groups, messages, runs, service, transitions, watches
from gemwatch.core.events import Event
from gemwatch.core.job import JobDetails, Seen
from gemwatch.core.kinds import FailedFacts
from gemwatch.core.runs import finished
from gemwatch.core.text.compose import compose
from gemwatch.core.text.context import Context
from gemwatch.core.text.rendering import Format, render
from support import events as events_support
from support.daemon import Installation
from support.gem import ScriptedGem, document
from support.inbox import Inbox

EVERY = timedelta(minutes=1)
LOOK = timedelta(seconds=58)  # between two looks, so that the gaps are not all the same to the second
RELEASE = "release-2026-11"
_SHOWN, _EARLIER = 482_917_300, 482_904_100  # ids: of the watched jobs, of those before


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """A job that was requested `ago`, waited and ran. What lies in the future has not been seen yet."""

    name: str | None
    ago: timedelta
    waited: timedelta = timedelta(minutes=9)
    ran: timedelta = timedelta(hours=3)
    end: str = "SUCCESS"
    roads: int = 400_000
    matched: float = 0.86
    lanes: bool = False
    needs_review: tuple[str, ...] = ()
    limits: str | None = None
    error: str | None = None
    delivery: str = "sent"
    group: str | None = None

    @property
    def stem(self) -> str:
        return (self.name or "roads").lower().replace(" ", "_")

    def status(self, now: datetime, requested_at: datetime) -> str:
        if requested_at + self.waited > now:
            return "REQUESTED"
        return "IN_PROGRESS" if requested_at + self.waited + self.ran > now else self.end

    def document(self, job_id: int, status: str, requested_at: datetime) -> dict[str, Any]:
        fully = round(self.matched * 0.81, 4)
        shares = {
            "confidence_threshold": 60,
            "execution_time_sec": round(self.ran.total_seconds()),
            "kms_processed": round(self.roads * 0.2017, 2),
            "num_roads_processed": self.roads,
            "roads_matched_ratio": self.matched,
            "roads_fully_matched_ratio": fully,
            "roads_partially_matched_ratio": round(self.matched - fully, 4),
            "roads_unmatched_ratio": round(1 - self.matched, 4),
        }
        kind = {"job_type": "LANE_LEVEL_MATCHING", "orbis_version": "25470.118", "overture_release": None}
        return document(
            job_id,
            status,
            **(kind if self.lanes else {}),
            input_filename=f"{self.stem}.parquet",
            result_filename=f"{self.stem}.results.parquet" if status == "SUCCESS" else None,
            requested_at=requested_at.isoformat(),
            statistics=shares if status == "SUCCESS" else None,
            **({"message": "Validation failed: column 'geometry' is missing in row 7"} if status == "FAILED" else {}),
        )


def _hours(number: float) -> timedelta:
    return timedelta(hours=number)


WATCHED = (
    Life(name="Netherlands weekly", ago=_hours(1.9), ran=_hours(2.7), group=RELEASE),
    Life(name="Germany lanes", ago=_hours(6.4), waited=_hours(1.1), ran=_hours(9.5), lanes=True),
    Life(name="Belgium weekly", ago=_hours(2.1), ran=_hours(4), group=RELEASE),
    Life(name="Portugal pilot", ago=_hours(0.7), ran=_hours(2)),
    Life(name="Italy weekly", ago=_hours(0.1), waited=_hours(0.5), error="HTTP 503 from the API", group=RELEASE),
    Life(name="Denmark weekly", ago=_hours(3.2), ran=_hours(2.6), roads=212_408, matched=0.8713, group=RELEASE),
    Life(
        name="Spain weekly",
        ago=_hours(5.4),
        ran=_hours(4.1),
        roads=588_112,
        matched=0.7421,
        needs_review=("matched 74.2 %, 10.1 points less than the 84.3 % before",),
        group=RELEASE,
    ),
    Life(
        name="Poland lanes",
        ago=_hours(9.2),
        ran=_hours(5.8),
        end="FAILED",
        lanes=True,
        delivery="failed",
        group=RELEASE,
    ),
    Life(name="Austria weekly", ago=_hours(21), ran=_hours(2.2), roads=198_332, matched=0.8568, group=RELEASE),
    Life(name=None, ago=_hours(29), ran=_hours(1.3), roads=74_201, matched=0.9012),
)
_SERIES = {
    "Netherlands weekly": (2.6, 397_613, 0.8468),
    "Germany lanes": (7.9, 902_417, 0.8122),
    "Belgium weekly": (1.2, 178_830, 0.794),
    "Denmark weekly": (2.5, 211_950, 0.8668),
    "Spain weekly": (4.2, 586_900, 0.835),
    "Italy weekly": (4.6, 610_000, 0.842),
    "Austria weekly": (2.3, 197_800, 0.8531),
}


def seed(place: Path, now: datetime) -> list[dict[str, Any]]:
    """Fill an empty store; the watch list that goes with it."""
    upgrade(place)
    engine = open_to_write(place)
    chance = random.Random(7)
    with engine.begin() as connection:
        scene = _Scene(connection, now)
        for number, (name, (hours, roads, matched)) in enumerate(_SERIES.items()):
            for week in range(8, 0, -1):
                life = Life(
                    name=name,
                    ago=timedelta(days=7 * week) + _hours(number),
                    waited=timedelta(minutes=chance.uniform(4, 20)),
                    ran=_hours(hours * chance.uniform(0.88, 1.16)),
                    roads=round(roads * chance.uniform(0.985, 1.01)),
                    matched=round(matched + chance.uniform(-0.012, 0.008), 4),
                    lanes="lanes" in name,
                    delivery="none",
                )
                scene.add(_EARLIER + 97 * number + 11 * week, life, watched=False)
        for number, life in enumerate(WATCHED):
            scene.add(_SHOWN + 7 * number, life, watched=True)
        connection.execute(sa.insert(groups), {"name": RELEASE, "member_added_at": now - _hours(0.1)})
        connection.execute(sa.insert(service), [{"name": "login", "value": "ok"}, {"name": "api", "value": "ok"}])
    engine.dispose()
    return [
        {
            "job": _SHOWN + 7 * number,
            **({"name": life.name} if life.name else {}),
            **({"group": life.group} if life.group else {}),
        }
        for number, life in enumerate(WATCHED)
    ]


def install(
    installation: Installation, gem: ScriptedGem, inbox: Inbox, now: datetime | None = None
) -> list[dict[str, Any]]:
    """Fill the store of an installation and let the API answer likewise; the watch list it is given."""
    now = now or datetime.now(UTC)
    watch = seed(installation.folder / "gemwatch.db", now)
    for entry, life in zip(watch, WATCHED, strict=True):
        requested_at = now - life.ago
        gem.answers(entry["job"], life.document(entry["job"], life.status(now, requested_at), requested_at))
    targets = {name: {"url": inbox.target_url(name)} for name in ("team-slack", "data-mail")}
    installation.configure(watch=watch, poll={"every": "60s"}, notify=targets)
    return watch


def job_id(name: str) -> int:
    """Of the watched one that has this name."""
    return next(_SHOWN + 7 * number for number, life in enumerate(WATCHED) if life.name == name)


class _Scene:
    def __init__(self, connection: sa.Connection, now: datetime) -> None:
        self._connection = connection
        self._now = now

    def add(self, job_id: int, life: Life, *, watched: bool) -> None:
        requested_at = self._now - life.ago
        status = life.status(self._now, requested_at)
        answer = events_support.seen(self._now, life.document(job_id, status, requested_at))
        seen = self._moves(life, requested_at)
        over = status in ("SUCCESS", "FAILED")
        polled_at = seen[-1][1] if over else self._now - timedelta(seconds=17 + job_id % 31)
        row = {
            "job_id": job_id,
            "watched": watched,
            "name": life.name,
            "group_name": life.group,
            "every": EVERY,
            "status": status,
            "status_since": seen[-1][1],
            "seen_at": polled_at,
            "running_since": next((at for to, at in seen if to == "IN_PROGRESS"), None),
            "job_type": "LANE_LEVEL_MATCHING" if life.lanes else "ROAD_MATCHING",
            "needs_review": list(life.needs_review) or None,
            "reported_limits": life.limits,
            "last_error": life.error,
            "polled_at": polled_at,
            "due_at": None if over or not watched else polled_at + EVERY * 0.97,
        }
        self._connection.execute(sa.insert(watches), row)
        replace_details(self._connection, [answer])
        self._connection.execute(sa.insert(transitions), list(_transitions(job_id, seen, answer)))
        if over:
            self._end(job_id, life, status, answer.job, seen)

    def _moves(self, life: Life, requested_at: datetime) -> list[tuple[str, datetime]]:
        """What was seen when: each status at the first look after it began."""
        begins = (
            ("REQUESTED", requested_at + timedelta(seconds=40)),
            ("IN_PROGRESS", requested_at + life.waited + timedelta(seconds=21)),
            (life.end, requested_at + life.waited + life.ran + timedelta(seconds=33)),
        )
        return [(status, at) for status, at in begins if at < self._now]

    def _end(
        self, job_id: int, life: Life, status: str, job: JobDetails, seen: Sequence[tuple[str, datetime]]
    ) -> None:
        at = seen[-1][1]
        run = finished(job, ended_at=at, running_since=seen[1][1])
        self._connection.execute(sa.insert(runs), {name: getattr(run, name) for name in run.__dataclass_fields__})
        if life.delivery == "none":
            return
        kind = "needs-review" if life.needs_review else status.lower()
        event = sa.insert(events).values(kind=kind, at=at, job_id=job_id, facts={}).returning(events.c.id)
        event_id = self._connection.execute(event).scalar_one()
        message_id = self._text(event_id, job_id, life, job, seen) if kind == "failed" else None
        for target in ("team-slack", "data-mail"):
            failed = life.delivery == "failed" and target == "data-mail"
            row = {
                "event_id": event_id,
                "target": target,
                "state": "failed" if failed else "sent",
                "attempts": 214 if failed else 1,
                "expires_at": at + timedelta(days=2),
                "sent_at": None if failed else at + timedelta(seconds=2),
                "last_error": "A Connection error occurred sending to the mail server" if failed else None,
                "message_id": None if failed else message_id,
            }
            self._connection.execute(sa.insert(deliveries), row)

    def _text(
        self, event_id: int, job_id: int, life: Life, job: JobDetails, seen: Sequence[tuple[str, datetime]]
    ) -> int:
        """The text of the message about a FAILED, as it was sent."""
        at, facts = seen[-1][1], FailedFacts(job=job, before="IN_PROGRESS", running_since=seen[1][1])
        event = Event(at=at, job_id=job_id, name=life.name, facts=facts)
        context = Context(name="gis-prod", zone=ZoneInfo("Europe/Amsterdam"))
        shown = render(compose(event_id, event, now=at, context=context), Format.TEXT)
        row = {"at": at, "title": shown.title, "body": shown.body, "format": "text"}
        number: int = self._connection.execute(sa.insert(messages).values(row).returning(messages.c.id)).scalar_one()
        return number


def _transitions(job_id: int, seen: Sequence[tuple[str, datetime]], answer: Seen) -> list[dict[str, Any]]:
    befores = [None, *seen[:-1]]
    return [
        {
            "job_id": job_id,
            "before": before[0] if before else None,
            "after": status,
            "last_seen_before": at - LOOK if before else None,
            "observed_at": at,
            "answer": answer.raw,
            "failure": list(answer.job.failure) if status == "FAILED" else None,
        }
        for before, (status, at) in zip(befores, seen, strict=True)
    ]
