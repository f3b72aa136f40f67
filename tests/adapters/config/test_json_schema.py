"""The JSON Schema accepts the same configurations as the program."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import is_dataclass, replace
from pathlib import Path
from socket import gethostname
from typing import Any, get_args, get_type_hints

import pytest

from gemwatch.adapters.config import build, rules
from gemwatch.adapters.config.json_schema import json_schema, table
from gemwatch.adapters.config.strict_yaml import read
from gemwatch.adapters.config.validation import check, check_watch
from gemwatch.core.events import Target
from gemwatch.core.settings import ApiSettings, GroupSettings, HeartbeatSettings, Rule, Settings, StoreSettings, Watch
from support.daemon import GEMWATCH
from support.json_schema import complaints

ROOT = Path(__file__).parents[3]
SCHEMA = json_schema()
API = {"key": "k"}


def is_valid(document: Any) -> bool:
    return not any(complaints(document, SCHEMA))


def is_accepted(document: dict[str, Any]) -> bool:
    keys, _ = check(document, None)
    entries = document.get("watch") or []
    good = keys is not None and not any(rules.misfits({"api": None, **document}))
    return good and all(check_watch(entry)[0] is not None for entry in entries)


def test_committed_schema_is_what_the_command_prints() -> None:
    printed = subprocess.run([*GEMWATCH, "schema"], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == SCHEMA
    assert (ROOT / "docs/config.schema.json").read_text() == printed, "gemwatch schema > docs/config.schema.json"


def test_example_names_the_schema_and_is_valid() -> None:
    text = (ROOT / "config.example.yaml").read_text()
    named = text.splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    assert json.loads((ROOT / named).read_text()) == SCHEMA
    document = read(text, lambda string: string).value
    assert list(complaints(document, SCHEMA)) == []
    assert document["watch"]
    document["pol"] = {}
    assert not is_valid(document)


def defined(node: dict[str, Any]) -> dict[str, Any]:
    """A node, or the definition that it refers to."""
    return SCHEMA["$defs"][node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node


def mapping_in(node: dict[str, Any]) -> dict[str, Any] | None:
    """The mapping that a key accepts: as its value, or as the value of each name or item."""
    node = defined(node)
    if "properties" in node:
        return node
    inner = [*node.get("anyOf", ()), *(node[key] for key in ("additionalProperties", "items") if node.get(key))]
    return next((found for part in inner if (found := mapping_in(part)) is not None), None)


def test_every_key_has_a_description() -> None:
    mappings = [SCHEMA, *SCHEMA["$defs"].values()]
    assert len(mappings) == 15
    for mapping in mappings:
        assert mapping["additionalProperties"] is False
        assert all(part["description"].endswith(".") for part in mapping["properties"].values())


POSTGRESQL = (
    "postgresql+psycopg://h/d",
    "postgresql+psycopg:///d?host=/run/postgresql",
    "postgresql+psycopg://u:p@h:1/d?sslmode=verify-full",
    "postgresql+psycopg://h/",
    "postgresql+psycopg://h/d/e",
    "postgresql://h/d",
)
ELSEWHERE = {
    "notify": Target,
    "watch": Watch,
    "discover": Rule,
    "groups": GroupSettings,
}  # keys whose settings have another name or form
OF_WATCHES = {f"discover.{key}" for key in ("name", "notify", "every", "limits", "gate", "group")}
NO_SETTING = {
    "notify",
    "watch",
    "watch_files",
    "watch.job",
    "store.url",
    "web.listen",
} | OF_WATCHES  # build.py converts these
NO_KEY = {
    "targets",
    "watches",
    "watch.job_id",
    "store.place",
    "web.host",
    "web.port",
    "notify.name",
    "groups.name",
} | {
    "api.token.withheld",
    "discover.watch",
}


def unlike(node: dict[str, Any], settings: Any, prefix: str = "") -> Iterator[str]:
    """The keys without a setting, and the settings without a key."""
    hints = get_type_hints(settings)
    known, fields = set(node["properties"]), set(hints)
    yield from (f"{prefix}{name}" for name in known ^ fields)
    for key, part in node["properties"].items():
        hint = (ELSEWHERE if not prefix else {}).get(key, hints.get(key))
        kind = next((one for one in (hint, *get_args(hint)) if is_dataclass(one)), None)
        inner = mapping_in(part)
        if kind and inner and "properties" in inner:
            yield from unlike(inner, kind, f"{prefix}{key}.")


def test_every_key_has_a_setting_and_every_setting_a_key() -> None:
    assert set(unlike(SCHEMA, Settings)) == NO_SETTING | NO_KEY


def test_table_in_the_documentation_is_the_generated_one() -> None:
    text = (ROOT / "docs/configuration.md").read_text()
    assert f"<!-- keys -->\n{table()}<!-- /keys -->" in text, "gemwatch schema --table"


def defaults(node: dict[str, Any]) -> dict[str, Any]:
    """A document with only the defaults of a schema."""
    found: dict[str, Any] = {}
    for key, part in node.get("properties", {}).items():
        if "default" in part:
            found[key] = part["default"]
        elif (
            key not in ("notify", "watch", "discover", "groups", "azure")
            and (inner := mapping_in(part))
            and (below := defaults(inner))
        ):
            found[key] = below
    return found


def test_schema_has_the_defaults_of_the_program() -> None:
    document = defaults(SCHEMA)
    document["api"]["key"] = "k"
    document["heartbeat"]["url"] = "https://switch.example/1"
    assert {"timeout", "max_rate", "token", "base_url"} <= document["api"].keys()
    assert is_valid(document)
    keys, misfits = check(document, None)
    assert keys is not None, list(misfits)
    assert build.settings(keys, Path("/srv"), ()) == Settings(
        name=gethostname(),
        api=ApiSettings(key="k"),
        store=StoreSettings(place=Path("/srv/gemwatch.db")),
        heartbeat=HeartbeatSettings(url="https://switch.example/1"),
    )
    target = {"url": "json://h", **defaults(SCHEMA["$defs"]["TargetKeys"])}
    keys, _ = check({"api": API, "notify": {"a": target, "b": {"url": "json://h"}}}, None)
    assert keys is not None
    assert "time_zone" in target
    first, second = build.settings(keys, Path("/srv"), ()).targets
    assert first == replace(second, name="a")


def section(name: str, key: str, *values: object) -> list[dict[str, Any]]:
    return [{"api": API, name: {key: value}} for value in values]


SPANS = (90, "90", "90s", "10m", "2h", "7d", 0, -1, "0s", "10 minutes", "1w", "1h30m", "", None, 1.5, True, [])
SAMPLES: list[dict[str, Any]] = [
    {},
    {"api": None},
    *({"api": {"key": key}} for key in ("k", "", 1, None, "two words", "line\n")),
    *({"api": {**API, "token": token}} for token in (None, {}, {"value": "t"}, {"value": "t", "file": "f"}, "t")),
    *(
        {"api": {**API, "token": {"azure": azure}}}
        for azure in ("clj", {}, {"credential": "clj"}, {"credential": "cli", "scope": "a b"}, {"scope": "s"})
    ),
    *({"api": {**API, "token": {"command": command}}} for command in ("az x", ["az", "x"], [], [1], "", None, 1)),
    *({"api": {**API, "base_url": url}} for url in ("https://h/p", "ftp://h", "https://u@h", "https://h/?q", "h", 1)),
    *({"api": {**API, "max_in_flight": number}} for number in (1, 1000, 0, 1001, "16", 1.0, True)),
    *({"api": {**API, "max_rate": rate}} for rate in (0, 0.5, 10, -1, "10", True, None)),
    *section("poll", "every", *SPANS),
    *section("limits", "running", *SPANS, "auto", "off", "never"),
    *section("limits", "runs", "8h"),
    *section("gate", "matched_min", 0, 0.8, 1, "off", 1.1, -0.1, "0.8", "auto", True, None),
    *section("gate", "roads_change_max", 0.2, 3, "off", 1001, -1),
    *section("gate", "roads", 0.2),
    *section("poll", "not_found_after", 1, 1_000_000, 0, 1_000_001, "3"),
    *section("poll", "evry", 1),
    *section("store", "url", "sqlite:///a.db", "sqlite:////a/b.db", *POSTGRESQL, "sqlite:///", "a.db", 1),
    *section("web", "token", "sixteen-letters.", "fifteen-letters", "with spaces in it!", 1, None),
    *section("web", "metrics", "open", "token", "closed", True),
    *section("web", "hosts", None, [], ["a.example.com"], ["[::1]", "127.0.0.1"], ["http://h"], ["h:80"], "h"),
    *section("web", "listen", "off", "127.0.0.1:0", "[::1]:80", "localhost", ":80", False, 8042),
    *section("poll", "list_every", *SPANS),
    *section("web", "public_url", "https://h/p", "http://h", "h", "https://u@h", 1),
    *section("web", "proxies", None, [], ["10.0.0.0/8", "::1"], ["proxy"], "10.0.0.0/8"),
    *section("web", "badge", "login", "open", "closed"),
    *section("log", "level", "debug", "info", "warning", "error", "loud", 1),
    *section("log", "format", "auto", "console", "json", "text"),
    *({"api": API, name: None} for name in ("poll", "notify", "watch", "watch_files", "heartbeat", "store", "log")),
    *({"api": API, name: value} for name in ("limits", "gate") for value in (None, {}, [], 5)),
    *({"api": API, name: []} for name in ("poll", "notify", "watch", "watch_files", "heartbeat", "web")),
    *({"api": API, "notify": {name: {"url": "json://h"}}} for name in ("team", "a.b-c_1", "-a", "a b", "a" * 65)),
    *({"api": API, "notify": {"a": target}} for target in ({}, None, {"url": ""}, {"url": "json://h", "to": 1})),
    *(
        {"api": API, "notify": {"a": {"url": "json://h", "on": on}}}
        for on in ("all", [], ["success", "not-found"], ["all"], ["store", "all"], "success", ["sucess"], None, [1])
    ),
    *(
        {"api": API, "notify": {"a": {"url": "json://h", key: value}}}
        for key, values in (
            ("format", ("auto", "text", "markdown", "html", "htm")),
            ("missed", ("summary", "each", "none", "all")),
            ("time_zone", ("UTC", "Europe/Amsterdam", "", 1)),
        )
        for value in values
    ),
    *({"api": API, "notify": {"a": url}} for url in ("json://h", "", 5, None)),
    *({"api": API, "name": name} for name in ("prod", "", "two\nlines", 5)),
    *({"api": API, "watch_files": files} for files in (["a/*.yaml"], [""], [1], "a.yaml")),
    *({"api": API, "watch": [entry]} for entry in (1, "1", 2**63 - 1, 2**63, 0, -1, "x", True, 1.0, None, [], {})),
    *(
        {"api": API, "watch": [{"job": 1, **more}]}
        for more in (
            {},
            {"job": "12"},
            {"job": None},
            {"name": "Weekly run"},
            {"name": ""},
            {"name": " "},
            {"name": 2026},
            {"name": "two\nlines"},
            {"name": "n" * 201},
            {"notify": []},
            {"notify": ["team"]},
            {"notify": "team"},
            {"notify": [""]},
            {"every": "5m"},
            {"every": "5 m"},
            {"limits": None},
            {"limits": {"running": "8h", "queued": "off"}},
            {"limits": {"runing": "8h"}},
            {"gate": {"matched_min": 0.8}},
            {"gate": {"matched_min": 80}},
            {"nmae": "x"},
        )
    ),
    *({"api": API, "heartbeat": beat} for beat in ({}, {"url": "https://h/1"}, {"url": "h"}, {"url": "http://h#1"})),
]


@pytest.mark.parametrize("document", SAMPLES, ids=lambda document: json.dumps(document)[:80])
def test_schema_accepts_what_the_program_accepts(document: dict[str, Any]) -> None:
    assert is_valid(document) is is_accepted(document), list(complaints(document, SCHEMA))


@pytest.mark.parametrize(
    "document",
    [
        {"api": {"key": "${file:my key}", "max_in_flight": "${N}", "timeout": "${T:-30s}", "base_url": "${URL}"}},
        {"api": API, "web": {"listen": "${LISTEN:-off}"}, "log": {"level": "${LEVEL}"}, "store": {"url": "${DB}"}},
        {"api": API, "notify": {"a": {"url": "${URL}", "on": ["${KIND}"]}}, "watch": ["${JOB}", {"job": "${JOB}"}]},
    ],
)
def test_schema_accepts_references_everywhere(document: dict[str, Any]) -> None:
    assert list(complaints(document, SCHEMA)) == []


@pytest.mark.parametrize("azure", ["cli", {"credential": "service-principal", "tenant_id": "t"}])
def test_azure_login_is_valid_without_the_package(azure: object) -> None:
    assert list(complaints({"api": {**API, "token": {"azure": azure}}}, SCHEMA)) == []
