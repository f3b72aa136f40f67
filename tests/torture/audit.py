"""What is compared after a run: what the API showed, what the store holds, what arrived at each target."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from support.json_records import JsonRecords
from support.sink import Receipt
from torture.lives import Life

_KINDS = {"SUCCESS": "success", "FAILED": "failed"}
_TOLD = re.compile(r"\b(SUCCESS|FAILED): job (\d+)\b")
_EVENT = re.compile(r"\bgw-(\d+)\b")


@dataclass(kw_only=True)
class Findings:
    """Each a list of sentences; `doubled` are repetitions that a crash explains, with the same event id."""

    lost: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)  # without a crash that explains it
    doubled: int = 0
    ends: int = 0
    messages: int = 0

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.false, *self.repeated]


def reported_in(receipt: Receipt) -> list[tuple[str, int, int]]:
    """Outcome, job and event id of everything that a message tells about ends."""
    single = _TOLD.match(receipt.title)
    if single is not None:
        (event_id,) = receipt.event_ids
        return [(single[1], int(single[2]), event_id)]
    lines = ((_TOLD.search(line), _EVENT.search(line)) for line in receipt.body.splitlines())
    return [(what[1], int(what[2]), int(event[1])) for what, event in lines if what and event]


def audit(
    jobs: Sequence[Life],
    records: JsonRecords,
    receipts: Sequence[Receipt],
    targets: Sequence[str],
    settled: Mapping[int, set[tuple[int, str]]],
) -> Findings:
    """Compare. `settled` holds, for each life that was ended, what its store called sent when it was dead."""
    found = Findings(messages=len(receipts))
    rows = records.deliveries()
    events: dict[int | None, set[tuple[str, int]]] = {}
    for row in rows:
        if row["kind"] != "group-done":
            events.setdefault(row["job_id"], set()).add((row["kind"], int(row["event"].removeprefix("gw-"))))
        if row["state"] != "sent":
            found.lost.append(f"{row['event']} to {row['target']} is {row['state']}: {row['last_error']}")
    arrived = Counter((r.target, *one) for r in receipts for one in reported_in(r))
    for job in jobs:
        _audit_job(found, job, events.pop(job.job_id, set()), arrived, targets)
    # A replica that stalls, or has other files for a while, is a `config` event and its recovery.
    events = {job_id: rest for job_id, what in events.items() if (rest := _unexplained(job_id, what))}
    found.false += [f"job {job_id} was reported without an end: {what}" for job_id, what in events.items()]
    found.false += [f"{key} arrived, and nothing of the kind was recorded" for key in arrived]
    _audit_history(found, {job.job_id: job for job in jobs}, records)
    _audit_repetitions(found, receipts, settled)
    return found


def _unexplained(job_id: int | None, what: set[tuple[str, int]]) -> set[tuple[str, int]]:
    return {one for one in what if job_id is not None or one[0] != "config"}


def _audit_job(
    found: Findings,
    job: Life,
    events: set[tuple[str, int]],
    arrived: Counter[tuple[str, str, int, int]],
    targets: Sequence[str],
) -> None:
    found.ends += 1
    kinds = [kind for kind, _ in events]
    if kinds != [_KINDS[job.end]]:
        found.false.append(f"job {job.job_id} ended as {job.end}, and its events are {sorted(events)}")
        return
    ((_, event_id),) = events
    for target in targets:
        times = arrived.pop((target, job.end, job.job_id, event_id), 0)
        if not times:
            found.lost.append(f"{target} never got job {job.job_id}: {job.end}")
        found.doubled += max(0, times - 1)


def audit_groups(
    found: Findings,
    groups: Collection[str],
    rows: Sequence[Mapping[str, Any]],
    receipts: Sequence[Receipt],
    targets: Sequence[str],
) -> None:
    """Each group was done once, and every target received that."""
    done = {int(row["event"].removeprefix("gw-")) for row in rows if row["kind"] == "group-done"}
    if len(done) != len(groups):
        found.false.append(f"{len(groups)} groups have {len(done)} events: {sorted(done)}")
    for target in targets:
        arrived = {one for receipt in receipts if receipt.target == target for one in receipt.event_ids} & done
        named = {group for group in groups if any(_names(receipt, target, group) for receipt in receipts)}
        found.lost += [f"{target} never got gw-{event_id}" for event_id in sorted(done - arrived)]
        found.lost += [f"{target} was not told about group {group}" for group in sorted({*groups} - named)]


def _names(receipt: Receipt, target: str, group: str) -> bool:
    words = f"GROUP DONE: {group}"
    lines = [receipt.title, *receipt.body.splitlines()]
    return receipt.target == target and any(re.search(rf"{re.escape(words)}\b", line) for line in lines)


def _audit_history(found: Findings, jobs: Mapping[int, Life], records: JsonRecords) -> None:
    """Every recorded status was shown, in that order, and the chain has no gap."""
    history: dict[int, list[dict[str, Any]]] = {}
    for row in records.history():
        history.setdefault(row["job_id"], []).append(row)
    for job_id, job in jobs.items():
        rows = history.get(job_id, [])
        seen = [row["to"] for row in rows]
        chained = [None, *seen[:-1]] == [row["from"] for row in rows]
        changes = all(row["from"] != row["to"] for row in rows)
        if not (chained and changes and _in_order(seen, job.shown)):
            found.false.append(f"job {job_id}: shown {job.shown}, recorded {[(r['from'], r['to']) for r in rows]}")
    for state in records.status()["jobs"]:
        if state["status"] != jobs[state["job_id"]].end:
            found.false.append(f"job {state['job_id']} stands as {state['status']}")


def _in_order(seen: Iterable[str], shown: Sequence[str]) -> bool:
    rest = iter(shown)
    return all(one in rest for one in seen)


def _audit_repetitions(
    found: Findings, receipts: Sequence[Receipt], settled: Mapping[int, set[tuple[int, str]]]
) -> None:
    """A message may come again only in a later life, and only if it was not settled when the earlier one ended."""
    first: set[tuple[int, int, str]] = set()
    for receipt in receipts:
        for event_id in receipt.event_ids:
            key = (receipt.life, event_id, receipt.target)
            if key in first:
                found.repeated.append(f"gw-{event_id} came twice to {receipt.target} in one life")
            first.add(key)
            if any((event_id, receipt.target) in sent for life, sent in settled.items() if life < receipt.life):
                found.repeated.append(f"gw-{event_id} came again to {receipt.target} although it was settled")
