"""A sample of every message, and the golden files that hold each of them in every format.

`make golden` writes the files again. Read what changed before you commit it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from gemwatch.adapters.store.facts_codec import from_json
from gemwatch.core.events import Event
from gemwatch.core.kinds import EventKind, UnknownFacts
from gemwatch.core.text.compose import compose
from gemwatch.core.text.context import Context
from gemwatch.core.text.message import Message
from gemwatch.core.text.rendering import Format, render
from gemwatch.core.text.summary import summarise
from support.events import details
from support.gem import document

GOLDEN = Path(__file__).parents[1] / "core" / "text" / "golden"
ENDINGS = {Format.TEXT: "txt", Format.MARKDOWN: "md", Format.HTML: "html", Format.CARD: "card.md"}

AT = datetime(2026, 2, 18, 13, 21, 7, tzinfo=UTC)
CONTEXT = Context(
    name="gis-prod",
    public_url="https://gemwatch.example.com/gem",
    zone=ZoneInfo("Europe/Amsterdam"),
    config_path="/etc/gemwatch/config.yaml",
    login_command="az login --scope https://gem.core.orbis.tomtom.com/user_impersonation",
)
PROBLEM = "/etc/gemwatch/config.yaml:14:22: notify.data-mail.url: Apprise cannot read it"
LANES = document(7, "FAILED", job_type="LANE_LEVEL_MATCHING", overture_release=None, orbis_version="MAP1.204")
ESTIMATE = {
    "ends_at": "2026-02-18T16:05:40+00:00",
    "earliest": "2026-02-18T15:50:00+00:00",
    "latest": "2026-02-19T00:10:00+00:00",
    "runs": 12,
    "basis": "input",
}
PREVIOUS = {
    "job_id": 5,
    "ended_at": "2026-02-11T10:00:00+00:00",
    "matched": 0.861,
    "roads": 401002,
    "kilometres": 80900.4,
    "ran": 9600.0,
    "changed": [{"what": "Overture release", "before": "2025-12-17.0", "now": "2026-01-21.0"}],
}
FIRST_SIGHT = {"name": None, "before": None, "last_seen_before": None, "running_since": None}
HOSTILE = (
    "*a* _b_ `c` <!channel> @here [x](https://evil.example) https://evil.example <b>&lt;\u202e\u034f\u3164.parquet"
)


def job(kind: EventKind, status: str, job_id: int = 123456790, /, **facts: Any) -> Event:
    answer = facts.pop("document", document(job_id, status))
    name = facts.pop("name", "Netherlands weekly")
    usual = {
        "job": details(answer),
        "status": status,
        "before": "IN_PROGRESS",
        "last_seen_before": "2026-02-18T13:20:05+00:00",
        "running_since": "2026-02-18T10:41:00+00:00",
    }
    return Event(at=AT, job_id=job_id, name=name, facts=from_json(kind, {**usual, **facts}))


def service(kind: EventKind, job_id: int | None = None, name: str | None = None, **facts: Any) -> Event:
    return Event(at=AT, job_id=job_id, name=name, facts=from_json(kind, facts))


EVENTS: Mapping[str, Event] = {
    "success": job(EventKind.SUCCESS, "SUCCESS"),
    "success-compared": job(EventKind.SUCCESS, "SUCCESS", previous=PREVIOUS),
    "success-hostile": job(
        EventKind.SUCCESS,
        "SUCCESS",
        name=HOSTILE,
        document=document(7, "SUCCESS", input_filename=HOSTILE, result_filename="paypal\ufe0f.com 203.0.113.7."),
    ),
    "failed": job(
        EventKind.FAILED,
        "FAILED",
        document=document(7, "FAILED", message="Validation failed: column 'geometry' is missing in row 7"),
        last_success=PREVIOUS,
    ),
    "failed-soon": job(
        EventKind.FAILED, "FAILED", running_since="2026-02-18T13:18:00+00:00", last_seen_before="2026-02-18T13:20:05Z"
    ),
    "failed-lanes": job(EventKind.FAILED, "FAILED", document=LANES),
    "failed-first-sight": job(EventKind.FAILED, "FAILED", document={"job_id": 7, "status": "FAILED"}, **FIRST_SIGHT),
    "started": job(EventKind.STARTED, "IN_PROGRESS", before="REQUESTED", last_seen_before="2026-02-17T23:30:00Z"),
    "started-estimated": job(EventKind.STARTED, "IN_PROGRESS", before="REQUESTED", estimate=ESTIMATE),
    "needs-review": job(
        EventKind.NEEDS_REVIEW,
        "SUCCESS",
        previous=PREVIOUS,
        reasons=[
            "matched 84.7 %, below the floor of 90.0 %",
            "matched 84.7 %, 6.0 points less than the 90.7 % before",
        ],
    ),
    "queued-too-long": job(
        EventKind.QUEUED_TOO_LONG, "REQUESTED", since="2026-02-18T11:00:00Z", limit={"length": 7200}
    ),
    "running-too-long": job(
        EventKind.RUNNING_TOO_LONG,
        "IN_PROGRESS",
        since="2026-02-18T01:00:00Z",
        limit={"length": 28800, "runs": 5, "basis": "release"},
    ),
    "finished-too-fast": job(EventKind.FINISHED_TOO_FAST, "SUCCESS", ran=42.5, limit={"length": 300}),
    "not-found": job(EventKind.NOT_FOUND, "IN_PROGRESS", misses=3),
    "not-found-never-seen": job(EventKind.NOT_FOUND, "IN_PROGRESS", misses=1, status=None, last_seen_before=None),
    "unknown-status": job(EventKind.UNKNOWN_STATUS, "CANCELLED"),
    "group-done": service(
        EventKind.GROUP_DONE,
        group="release-2026-11",
        members=12,
        succeeded=10,
        failed=[123456791],
        needs_review=[123456792],
        first_requested_at="2026-02-17T08:00:00Z",
        last_ended_at=AT.isoformat(),
    ),
    "group-incomplete": service(
        EventKind.GROUP_DONE, group="release-2026-11", incomplete=True, members=11, succeeded=11
    ),
    "login-failing": service(
        EventKind.LOGIN, over=False, reason="az exited with 1: \"Please run 'az login'\"", since=AT.isoformat()
    ),
    "login-failing-by-key": service(
        EventKind.LOGIN,
        over=False,
        reason='HTTP 401 Unauthorized: "Invalid API key"',
        since=AT.isoformat(),
        culprit="key",
        http_status=401,
        words="Invalid API key",
        remedy="Check api.key: in TomTom's developer dashboard the key must exist, be active, and be copied whole.",
    ),
    "login-failing-by-token": service(
        EventKind.LOGIN,
        over=False,
        reason="HTTP 401 Unauthorized",
        since=AT.isoformat(),
        http_status=401,
        remedy="(1) Renew the login. As user gemwatch, run:\n  az login --scope S --allow-no-subscriptions\n"
        "Without a browser, add --use-device-code.\n(2) Check api.key.",
    ),
    "login-recovered": service(EventKind.LOGIN, over=True, since="2026-02-18T10:00:00+00:00"),
    "login-for-job-failing": service(
        EventKind.LOGIN, 7, name="Belgium", over=False, reason="HTTP 403", since=AT.isoformat()
    ),
    "login-for-job-recovered": service(EventKind.LOGIN, 7, over=True, since=None),
    "login-for-some-failing": service(
        EventKind.LOGIN,
        over=False,
        reason="Many jobs are refused while others are answered. The last refusal: HTTP 403 Forbidden",
        since=AT.isoformat(),
        http_status=403,
        some_jobs=True,
    ),
    "login-for-some-recovered": service(
        EventKind.LOGIN, over=True, since="2026-02-18T10:00:00+00:00", some_jobs=True
    ),
    "api-failing": service(EventKind.API, over=False, reason="no answer in 30 s", since="2026-02-18T13:11:00+00:00"),
    "api-recovered": service(EventKind.API, over=True, since="2026-02-16T10:00:00+00:00"),
    "discovery-failing": service(
        EventKind.API,
        over=False,
        discovery=True,
        reason="ROAD_MATCHING: HTTP 500 Internal Server Error",
        since="2026-02-18T13:11:00+00:00",
    ),
    "discovery-recovered": service(EventKind.API, over=True, discovery=True, since="2026-02-18T10:00:00+00:00"),
    "lists-differ": service(EventKind.CONFIG, over=False, lists=True, hosts=["gem-1.example.com", "gem-2"]),
    "lists-agree": service(EventKind.CONFIG, over=True, lists=True),
    "login-refused-on-a-replica": service(
        EventKind.LOGIN,
        over=False,
        reason="HTTP 401",
        since="2026-02-18T13:21:00+00:00",
        http_status=401,
        replica="gem-2.example.com",
        others_poll=True,
    ),
    "login-refused-on-all-replicas": service(
        EventKind.LOGIN, over=False, reason="HTTP 401", since="2026-02-18T13:21:00+00:00", replica="gem-2.example.com"
    ),
    "login-recovered-on-a-replica": service(
        EventKind.LOGIN, over=True, since="2026-02-18T10:00:00+00:00", replica="gem-2.example.com"
    ),
    "login-refused-replica-ended": service(EventKind.LOGIN, over=True, replica="gem-2.example.com", ended=True),
    "rules-full": service(EventKind.CONFIG, over=False, rules=True, full_rules=['input "*"', 'storage "a_*"']),
    "rules-not-full": service(EventKind.CONFIG, over=True, rules=True),
    "config-refused": service(EventKind.CONFIG, over=False, refused=True, problems=[PROBLEM]),
    "config-entries-skipped": service(EventKind.CONFIG, over=False, refused=False, problems=[PROBLEM] * 12),
    "config-fixed": service(EventKind.CONFIG, over=True),
    "store-failing": service(
        EventKind.STORE, over=False, reason="database or disk is full", since="2026-02-18T13:20:30+00:00"
    ),
    "store-recovered": service(EventKind.STORE, over=True, since="2026-02-18T13:20:30+00:00"),
    "target-down": service(
        EventKind.TARGET,
        over=False,
        target="data-mail",
        fallback="team-slack",
        reason="smtp.example.com:587 answered 535: Authentication unsuccessful",
        since="2026-02-18T13:11:00+00:00",
    ),
    "target-recovered": service(EventKind.TARGET, over=True, target="data-mail", since="2026-02-18T10:00:00+00:00"),
    "unknown-kind": Event(at=AT, job_id=7, facts=UnknownFacts(word="moon-phase", raw={"phase": "full"})),
}


def messages() -> Mapping[str, Message]:
    """Every sample, one that is late, and summaries."""
    alone = {name: compose(4711, event, now=AT, context=CONTEXT) for name, event in EVENTS.items()}
    some = [(4711 + n, event) for n, event in enumerate(EVENTS.values()) if event.kind is not EventKind.GROUP_DONE]
    ended = [one for one in some if one[1].kind in (EventKind.SUCCESS, EventKind.FAILED, EventKind.NEEDS_REVIEW)]
    return {
        **alone,
        "not-stored": compose(None, EVENTS["store-failing"], now=AT, context=CONTEXT),
        "success-late": compose(4711, EVENTS["success"], now=AT + timedelta(hours=3, minutes=4), context=CONTEXT),
        "success-in-utc": compose(4711, EVENTS["success"], now=AT),
        "summary-of-jobs": summarise(ended, now=AT, context=CONTEXT),
        "summary-of-everything": summarise(some, now=AT + timedelta(hours=1), context=CONTEXT),
    }


def golden() -> Mapping[str, str]:
    """File names and what they hold: the title, and the body in one of the formats."""
    files = {}
    for name, message in messages().items():
        for form, ending in ENDINGS.items():
            shown = render(message, form, headed=form is not Format.TEXT)
            files[f"{name}.{ending}"] = (
                f"{shown.title}\n\n{shown.body}\n" if form is Format.TEXT else f"{shown.body}\n"
            )
    return files


CATALOGUE = Path(__file__).parents[2] / "docs" / "messages.md"
_INTRODUCTION = """\
# Messages

Every message that gemwatch sends, as plain text, for a target in the time zone of Amsterdam. `make golden` writes
this page.

- Services that show Markdown or HTML get lists, bold labels, a colored sign and links; see `format` in
  [configuration.md](configuration.md). Microsoft Teams gets a form of its own.
- Names from outside (file names, statuses, the API's words) are shown exactly, without invisible characters. In
  Markdown and HTML they are code, so that nothing in them mentions anyone, formats the message or becomes a link.
- If a service takes only short messages, what does not fit is left out from below. The last line, with the event
  id, stays.
"""


def catalogue() -> str:
    """The page with every message as text."""
    parts = [_INTRODUCTION]
    for name, message in messages().items():
        if name != "success-hostile" and not name.startswith("group"):  # nothing sends those of groups yet
            shown = render(message, Format.TEXT)
            parts.append(f"## {name.replace('-', ' ').capitalize()}\n\n```\n{shown.title}\n\n{shown.body}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for old in GOLDEN.iterdir():
        old.unlink()
    for file_name, text in golden().items():
        (GOLDEN / file_name).write_text(text)
    CATALOGUE.write_text(catalogue())
