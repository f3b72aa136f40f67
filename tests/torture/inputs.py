"""Damaged inputs by the thousand: answers of the API and configuration files, hit at random."""

# ruff: noqa: T201 (a script's output)

import json
import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from gemwatch.adapters.config.file import load
from gemwatch.adapters.gem.wire import read_details
from gemwatch.adapters.notify.urls import url_problem
from gemwatch.core.job import Seen
from gemwatch.core.polls.decide import decide
from gemwatch.core.polls.tracked import Memory, Policy, Tracked
from gemwatch.core.settings import PollSettings
from gemwatch.core.text.compose import compose
from gemwatch.core.text.rendering import Format, render
from gemwatch.core.text.summary import summarise
from support.gem import KEY, TOKEN, document

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ODD: list[Any] = [
    None, True, -1, 0, 2**63, 10**400, 1e308, -0.0, 1.5, "", "\0", "\ud800", "\u202e<!channel>", "x" * 70_000,
    [], {}, [[]], {"a": {}}, "NaN", "1e999", "2026-02-30T25:00:00Z",
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
]  # fmt: skip


@dataclass(kw_only=True)
class Tried:
    inputs: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def damaged(raw: bytes, chance: random.Random) -> bytes:
    """The same bytes with a few changed, dropped, doubled or cut off."""
    changed = bytearray(raw)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(changed) + 1)
        rest: dict[str, bytes] = {
            "changed": bytes([chance.randrange(256)]) + bytes(changed[at + 1 :]),
            "dropped": bytes(changed[at + chance.randrange(1, 9) :]),
            "doubled": bytes(changed[at : at + 20] + changed[at:]),
            "put in": chance.choice([b"\t", b"\n", b": ", b"&a ", b"*a", b'"', b"{", b"]"]) + bytes(changed[at:]),
        }
        changed = changed[:at] + rest[chance.choice(sorted(rest))]
    return bytes(changed) if chance.random() < 0.9 else bytes(changed[: chance.randrange(len(changed) + 1)])


def try_answers(seed: int, count: int) -> Tried:
    """Answers with odd fields and damaged bytes: each is the job's status or nothing."""
    chance, tried = random.Random(seed), Tried()
    tracked = Tracked(job_id=7, every=PollSettings().every, memory=Memory(status="IN_PROGRESS"))
    for _ in range(count):
        shown = document(7, chance.choice(["SUCCESS", "FAILED", "IN_PROGRESS"]))
        if shown["statistics"] and chance.random() < 0.5:
            shown["statistics"][chance.choice(sorted(shown["statistics"]))] = chance.choice(ODD)
        for name in chance.sample(sorted(shown), chance.randrange(4)):
            shown[name] = chance.choice(ODD)
        raw = json.dumps(shown).encode()
        raw = damaged(raw, chance) if chance.random() < 0.5 else raw
        try:
            tried.inputs[_answer(raw, tracked, chance)] += 1
        except Exception as error:
            tried.faults.append(f"{type(error).__name__}: {error}: {raw[:300]!r}")
    return tried


def _answer(raw: bytes, tracked: Tracked, chance: random.Random) -> str:
    try:
        text = raw.decode("utf-8-sig")
        details = read_details(text)
    except ValueError:
        return "answers that say nothing"
    verdict = decide(tracked, Seen(at=NOW, job=details, raw=text), Policy(), chance.random())
    for event in verdict.events:
        for message in (compose(1, event, now=NOW), summarise([(1, event), (2, event)], now=NOW)):
            for way in Format:
                whole, cut = render(message, way), render(message, way, 300)
                assert "\n" not in whole.title
                assert len(cut.body) <= 300
                assert way is not Format.HTML or "<!" not in whole.body
    return "answers that say something"


def try_configurations(seed: int, count: int) -> Tried:
    """Damaged configuration files: each is taken, or refused with the place of every mistake."""
    chance, tried = random.Random(seed), Tried()
    with tempfile.TemporaryDirectory(prefix="gemwatch-inputs-") as folder:
        path = Path(folder) / "config.yaml"
        good = yaml.safe_dump(_sample(), sort_keys=False).encode()
        for _ in range(count):
            raw = damaged(good, chance)
            path.write_bytes(raw)
            try:
                loaded = load(path, {}, url_problem=url_problem)
                placed = all(one.file == path and one.line >= 1 and one.column >= 1 for one in loaded.problems)
                assert placed, [str(one) for one in loaded.problems]
                assert loaded.settings is not None or loaded.problems, "refused without a reason"
            except Exception as error:
                tried.faults.append(f"{type(error).__name__}: {error}: {raw[:300]!r}")
                continue
            tried.inputs["files that are refused" if loaded.settings is None else "files that are taken"] += 1
    return tried


def _sample() -> dict[str, Any]:
    return {
        "api": {"key": KEY, "token": {"value": TOKEN}, "timeout": "30s", "max_rate": 10},
        "poll": {"every": "60s", "not_found_after": 3},
        "notify": {"team": {"url": "json://127.0.0.1:9/team", "on": ["success", "failed"]}},
        "watch": [1, {"job": 2, "name": "Netherlands weekly", "notify": ["team"], "every": "5m"}],
        "store": {"url": "sqlite:///gemwatch.db", "keep": "365d"},
        "web": {"listen": "127.0.0.1:8042"},
        "log": {"level": "info", "format": "auto"},
    }


def run(seed: int, count: int) -> bool:
    """Try `count` of each, print the results, and return whether none did harm."""
    tried = [try_answers(seed, count), try_configurations(seed, count // 4)]
    print(f"inputs: {sum(one.inputs.total() for one in tried)} with seed {seed}")
    for one in tried:
        for what, times in sorted(one.inputs.items()):
            print(f"  {what:30} {times}")
    faults = [fault for one in tried for fault in one.faults]
    print("\n  ".join([f"faults: {len(faults)}", *faults[:20]]))
    return not faults
