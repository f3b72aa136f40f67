"""A configuration becomes settings, or every mistake is reported with its place."""

import os
import socket
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.adapters.config.document import cut_short
from gemwatch.adapters.config.file import LoadedFile, load
from gemwatch.core.events import Missed, Target, TargetFormat
from gemwatch.core.gate import OFF, Gate
from gemwatch.core.kinds import DEFAULT_EVENTS, EventKind
from gemwatch.core.limits import Limits, LimitWord
from gemwatch.core.settings import (
    ApiSettings,
    HeartbeatSettings,
    LogSettings,
    PollSettings,
    Settings,
    StoreSettings,
    TokenSource,
    Watch,
    WebSettings,
)
from support.users import unprivileged

EXAMPLE = Path(__file__).parents[3] / "config.example.yaml"
SECRET = "s3cret-hunter2"
LEAST = "api: {key: k}\n"
SECTIONS = ("poll", "notify", "watch", "watch_files", "limits", "gate", "heartbeat", "store", "web", "log")
REACHABLE = (
    "2:15: web.listen: can be reached from other machines, so web.token is needed: make one with openssl rand "
    "-hex 24 and refer to it with ${VAR} or ${file:PATH}; or listen on 127.0.0.1"
)


def url_problem(url: str) -> str | None:
    return None if "://" in url else "is not a URL that Apprise can read"


class Folder:
    """A configuration in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.main = path / "config.yaml"

    def write(self, text: str | bytes, name: str = "config.yaml") -> Path:
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    def load(self, text: str | bytes | None = None, **environ: str) -> LoadedFile:
        if text is not None:
            self.write(text)
        return load(self.main, environ, url_problem=url_problem)

    def settings(self, text: str, **environ: str) -> Settings:
        loaded = self.load(text, **environ)
        assert loaded.problems == ()
        assert loaded.settings is not None
        return loaded.settings

    def problems(self, text: str | bytes | None = None, **environ: str) -> list[str]:
        problems = self.load(text, **environ).problems
        return [str(problem).replace(f"{self.path}/", "") for problem in problems]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_full_configuration_becomes_settings(folder: Folder) -> None:
    folder.write("- 5\n- {job: '6', name: six}\n", "watch.d/more.yaml")
    settings = folder.settings(
        """\
api:
  base_url: https://api.tomtom.com/maps/orbis/platform/gem/
  key: ${TOMTOM_API_KEY}
  token: {file: token}
  timeout: 45
  max_in_flight: 8
  max_rate: 2.5
poll: {every: 90s, not_found_after: 5, alert_after: 1h}
notify:
  team-slack: {url: "${SLACK_URL}"}
  data-mail: {url: "${MAIL_URL}", on: [success, failed]}
  all.of_it: {url: "json://x", on: all}
watch:
  - 123456789
  - {job: 123456790, name: Netherlands weekly, notify: [team-slack], every: 5m}
watch_files: [watch.d/*.yaml]
heartbeat: {url: "https://hc-ping.com/${UUID}", every: 2m}
store: {url: sqlite:///data/gemwatch.db, keep: 7d}
web: {listen: "[::1]:9000"}
log: {level: debug, format: json}
""",
        TOMTOM_API_KEY="the-key",
        SLACK_URL="slack://a/b/c",
        MAIL_URL="mailto://u:p@example.org",
        UUID="4711",
    )
    assert settings == Settings(
        name=socket.gethostname(),
        api=ApiSettings(
            base_url="https://api.tomtom.com/maps/orbis/platform/gem",
            key="the-key",
            token=TokenSource(
                file=folder.path / "token",
                withheld=frozenset({"TOMTOM_API_KEY", "SLACK_URL", "MAIL_URL", "UUID"}),
            ),
            timeout=timedelta(seconds=45),
            max_in_flight=8,
            max_rate=2.5,
        ),
        poll=PollSettings(every=timedelta(seconds=90), not_found_after=5, alert_after=timedelta(hours=1)),
        targets=(
            Target(name="team-slack", url="slack://a/b/c", on=DEFAULT_EVENTS),
            Target(
                name="data-mail",
                url="mailto://u:p@example.org",
                on=frozenset({EventKind.SUCCESS, EventKind.FAILED}),
            ),
            Target(name="all.of_it", url="json://x", on=frozenset(EventKind)),
        ),
        watches=(
            Watch(job_id=123456789),
            Watch(job_id=123456790, name="Netherlands weekly", notify=("team-slack",), every=timedelta(minutes=5)),
            Watch(job_id=5),
            Watch(job_id=6, name="six"),
        ),
        heartbeat=HeartbeatSettings(url="https://hc-ping.com/4711", every=timedelta(minutes=2)),
        store=StoreSettings(place=folder.path / "data/gemwatch.db", keep=timedelta(days=7)),
        web=WebSettings(host="::1", port=9000),
        log=LogSettings(level="debug", format="json"),
    )


def test_missing_keys_have_the_defaults_of_the_core(folder: Folder) -> None:
    expected = Settings(
        name=socket.gethostname(), api=ApiSettings(key="k"), store=StoreSettings(place=folder.path / "gemwatch.db")
    )
    assert folder.settings(LEAST) == expected
    nulls = "".join(f"{name}:\n" for name in SECTIONS)
    assert folder.settings("api:\n  key: k\n  token:\n" + nulls) == expected


def test_example_file_loads_without_problems() -> None:
    environ = {"TOMTOM_API_KEY": "k", "SLACK_URL": "slack://a/b/c", "MAIL_URL": "mailto://a"}
    loaded = load(EXAMPLE, environ, url_problem=url_problem)
    assert loaded.problems == ()
    assert loaded.settings is not None


STORE_WANTED = (
    "names no store; write sqlite:///gemwatch.db, sqlite:////absolute/path.db, or "
    "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
)
CALL_WANTED = "is not an http or https URL; copy the one that the monitoring service shows"
UNCLOSED = "has a quote or a backslash that is not closed; write it as a list instead"
BROKEN = [
    ("", "1:1: file: is empty"),
    (" \n\n", "1:1: file: is empty"),
    ("# nothing\n", "1:1: file: has nothing but comments"),
    (b"\x00\x01\n", "1:1: file: is not plain text: it contains U+0000 in line 1"),
    (b"api: {key: k}\n# \x1b\n", "1:1: file: is not plain text: it contains U+001B in line 2"),
    (b"api: {key: k}\n# \xff\n", "1:1: file: is not UTF-8 (line 2); save it as UTF-8"),
    (b"#" * (16 * 1024 * 1024 + 1), "1:1: file: is larger than 16384 KiB"),
    ("[" * 900, "1:41: YAML: nested deeper than 40 levels"),
    ("api:\n\tkey: k\n", "2:1: YAML: a tab where YAML needs spaces"),
    (LEAST + "---\n", "2:1: YAML: a second document begins here; write only one per file"),
    ("- 1\n", "1:1: top level: must be a mapping with the sections api, poll, notify, watch, ..."),
    ("~\n", "1:1: top level: must be a mapping with the sections api, poll, notify, watch, ..."),
    ("watch: [1]\n", '1:1: api: the key "key" is missing'),
    ("api:\nwatch: [1]\n", '1:5: api: the key "key" is missing'),
    ("api:\n  timeout: 5\n", '2:3: api: the key "key" is missing'),
    ("api: 5\n", "1:6: api: must be a mapping, KEY: VALUE"),
    (LEAST + "pol: {}\n", '2:1: top level: unknown key "pol"; did you mean "poll"?'),
    (
        LEAST + "log: {zzz: 1}\n",
        '2:7: log: unknown key "zzz"; known are level, format',
    ),
    (LEAST + "poll: {evry: 5m}\n", '2:8: poll: unknown key "evry"; did you mean "every"?'),
    (LEAST + "poll: {}\nweb: {}\npoll: {}\n", '4:1: top level: duplicate key "poll"; first at line 2'),
    (
        LEAST + "poll:\n  every: 10 minutes\n",
        '3:10: poll.every: "10 minutes" is not a duration; write 90s, 10m, 2h or 7d',
    ),
    (LEAST + "poll: {every: 1.5}\n", "2:15: poll.every: 1.5 is not a duration; write 90s, 10m, 2h or 7d"),
    (LEAST + "poll: {every: 010}\n", '2:15: poll.every: "010" is not a duration; write 90s, 10m, 2h or 7d'),
    (LEAST + "poll: {every: 1_0}\n", '2:15: poll.every: "1_0" is not a duration; write 90s, 10m, 2h or 7d'),
    (LEAST + "poll: {every: 12:30}\n", '2:15: poll.every: "12:30" is not a duration; write 90s, 10m, 2h or 7d'),
    (LEAST + "poll: {every: true}\n", "2:15: poll.every: true is not a duration; write 90s, 10m, 2h or 7d"),
    (LEAST + "poll: {every: -5}\n", "2:15: poll.every: -5 is not a duration; write 90s, 10m, 2h or 7d"),
    (LEAST + "poll: {every: 1w}\n", '2:15: poll.every: "1w" is not a duration; write 90s, 10m, 2h or 7d'),
    (LEAST + "poll: {every: []}\n", "2:15: poll.every: a list is not a duration; write 90s, 10m, 2h or 7d"),
    (LEAST + "poll:\n  every:\n", "3:9: poll.every: an empty value is not a duration; write 90s, 10m, 2h or 7d"),
    (LEAST + "poll: {every: 0s}\n", "2:15: poll.every: must be longer than 0"),
    (LEAST + "poll: {every: 99999d}\n", "2:15: poll.every: is longer than 36500d"),
    (
        LEAST + "poll: {not_found_after: yes}\n",
        '2:25: poll.not_found_after: "yes" is not an integer; write one from 1 to 1000000, without quotes',
    ),
    (LEAST + "poll: {not_found_after: 0}\n", "2:25: poll.not_found_after: must be from 1 to 1000000"),
    (
        "api: {key: k, max_in_flight: '16'}\n",
        '1:30: api.max_in_flight: "16" is not an integer; write one from 1 to 1000, without quotes',
    ),
    (
        "api: {key: k, max_in_flight: 16.0}\n",
        "1:30: api.max_in_flight: 16.0 is not an integer; write one from 1 to 1000, without quotes",
    ),
    ("api: {key: k, max_in_flight: 1001}\n", "1:30: api.max_in_flight: must be from 1 to 1000"),
    (
        "api: {key: k, max_rate: -1}\n",
        "1:25: api.max_rate: -1 is not a rate; write requests per second such as 4 or 0.5, or 0 for no limit",
    ),
    (
        "api: {key: k, max_rate: true}\n",
        "1:25: api.max_rate: true is not a rate; write requests per second such as 4 or 0.5, or 0 for no limit",
    ),
    (
        "api: {key: k, max_rate: .inf}\n",
        '1:25: api.max_rate: ".inf" is not a rate; write requests per second such as 4 or 0.5, or 0 for no limit',
    ),
    ("api: {key: 815}\n", "1:12: api.key: must be text; put it in quotes"),
    (
        "api: {key: 'a b'}\n",
        "1:12: api.key: may contain only ASCII letters, digits and signs, without spaces and line breaks",
    ),
    ("api: {key: ''}\n", "1:12: api.key: is empty; give it a value or remove the key"),
    ("api: {key: []}\n", "1:12: api.key: must be text, not a list"),
    (
        "api: {key: k, token: {command: az, value: t}}\n",
        "1:22: api.token: give exactly one of command, file, value, azure",
    ),
    ("api: {key: k, token: {}}\n", "1:22: api.token: give exactly one of command, file, value, azure"),
    (
        'api: {key: k, token: {command: "az \'x"}}\n',
        f"1:32: api.token.command: {UNCLOSED}",
    ),
    (
        "api: {key: k, token: {command: [az, 5]}}\n",
        "1:32: api.token.command: must list a program and its arguments, each as text; put numbers in quotes",
    ),
    (
        "api: {key: k, base_url: 'ftp://h'}\n",
        "1:25: api.base_url: is not an http or https URL with a host; write https://HOST/PATH",
    ),
    (
        "api: {key: k, base_url: 'https:///p'}\n",
        "1:25: api.base_url: is not an http or https URL with a host; write https://HOST/PATH",
    ),
    ("api: {key: k, base_url: 'https://[h'}\n", "1:25: api.base_url: is not a URL; write https://HOST/PATH"),
    ("api: {key: k, base_url: 'https://h:x'}\n", "1:25: api.base_url: is not a URL; write https://HOST/PATH"),
    (
        "api: {key: k, base_url: 'https://u:p@h'}\n",
        "1:25: api.base_url: must not contain a user or password; write https://HOST/PATH",
    ),
    (
        "api: {key: k, base_url: 'https://h/?a=b'}\n",
        "1:25: api.base_url: must not contain a query (?) or fragment (#); write https://HOST/PATH",
    ),
    (LEAST + "notify: [a]\n", "2:9: notify: must be a mapping, KEY: VALUE"),
    (LEAST + "notify: {a: 5}\n", "2:13: notify.a: must be a mapping, KEY: VALUE"),
    (LEAST + "notify: {a: json}\n", "2:13: notify.a.url: is not a URL that Apprise can read"),
    (
        LEAST + "notify: {a: {url: 'json://x', on: [needs-look]}}\n",
        '2:36: notify.a.on[0]: "needs-look" is not known here; it is now called needs-review',
    ),
    (
        LEAST + "notify: {a: {url: 'json://x', format: htm}}\n",
        '2:39: notify.a.format: "htm" is not known here; did you mean "html"?',
    ),
    (
        LEAST + "notify: {a: {url: 'json://x', missed: all}}\n",
        '2:39: notify.a.missed: "all" is not known here; write one of summary, each, none',
    ),
    *(
        (
            LEAST + f"notify: {{a: {{url: 'json://x', time_zone: {zone}}}}}\n",
            f"2:42: notify.a.time_zone: {shown} is not a time zone; write an IANA name such as Europe/Amsterdam",
        )
        for zone, shown in (("Europe/Amsterdm", "this text"), ("CEST", '"CEST"'), ("../UTC", "this text"))
    ),
    (
        LEAST + "notify: {a: {url: 'json://x', fallback: a}}\n",
        "2:41: notify.a.fallback: is this target itself; name another one",
    ),
    (
        LEAST + "notify: {a: {url: 'json://x', fallback: mial}, mail: 'json://y'}\n",
        '2:41: notify.a.fallback: no target is named "mial"; did you mean "mail"?',
    ),
    ("name: ''\n" + LEAST, "1:7: name: is empty; give it a value or remove the key"),
    (
        LEAST + "web: {public_url: 'gemwatch.example.com'}\n",
        "2:19: web.public_url: is not an http or https URL with a host; write https://HOST/PATH",
    ),
    (
        LEAST + "web: {proxies: [10.0.0.1/8]}\n",
        "2:17: web.proxies[0]: this text is not a network; write its first address",
    ),
    (
        LEAST + "web: {proxies: [proxy]}\n",
        '2:17: web.proxies[0]: "proxy" is not a network; write 10.0.0.0/8, fd00::/8 or one address',
    ),
    (
        LEAST + "web: {badge: closed}\n",
        '2:14: web.badge: "closed" is not known here; write one of login, open',
    ),
    (LEAST + "notify: {a: {}}\n", '2:13: notify.a: the key "url" is missing'),
    (LEAST + "notify: {a: {url: x}}\n", "2:19: notify.a.url: is not a URL that Apprise can read"),
    (
        LEAST + "notify: {a b: {url: 'json://x'}}\n",
        "2:10: notify: is not a name for a target; use up to 64 letters, digits, '.', '_' and '-'",
    ),
    (LEAST + "notify: {1: {url: 'json://x'}}\n", "2:10: notify: this key is not plain text; put it in quotes"),
    (
        LEAST + "notify: {a: {url: 'json://x', on: [succes]}}\n",
        '2:36: notify.a.on[0]: "succes" is not known here; did you mean "success"?',
    ),
    (
        LEAST + "notify: {a: {url: 'json://x', on: success}}\n",
        '2:35: notify.a.on: "success" is not a list of events; write all, or a list such as [success, failed]',
    ),
    (LEAST + "watch: 5\n", "2:8: watch: must be a list"),
    (LEAST + "watch_files: watch.yaml\n", "2:14: watch_files: must be a list"),
    (LEAST + "watch_files: [5]\n", "2:15: watch_files[0]: must be text; put it in quotes"),
    (
        LEAST + "watch_files: [none.yaml]\n",
        "2:15: watch_files[0]: does not exist; create it or remove it from the list",
    ),
    (
        LEAST + "watch_files: ['*.yaml']\n",
        "2:15: watch_files[0]: matches the configuration file itself; put the lists into a folder of their own",
    ),
    (LEAST + "heartbeat: {every: 5m}\n", '2:12: heartbeat: the key "url" is missing'),
    (LEAST + "heartbeat: https://h/x\n", "2:12: heartbeat: must be a mapping, KEY: VALUE"),
    (
        LEAST + "heartbeat: {url: 'http://h', evry: 5m}\n",
        '2:30: heartbeat: unknown key "evry"; did you mean "every"?',
    ),
    *(
        (
            LEAST + f"heartbeat: {{url: '{url}'}}\n",
            f"2:18: heartbeat.url: {CALL_WANTED}",
        )
        for url in ("h/x", "ftp://h", "https:///x", "https://[h", "https://h:x", "https://h/a b", "https://h/#x")
    ),
    (
        LEAST + "limits: {running: 8 hours}\n",
        '2:19: limits.running: "8 hours" is not a duration; write 90s, 10m, 2h or 7d; or write auto or off',
    ),
    (LEAST + "limits: {runing: 8h}\n", '2:10: limits: unknown key "runing"; did you mean "running"?'),
    (
        LEAST + "gate: {matched_min: 80}\n",
        "2:21: gate.matched_min: 80 is not a number from 0 to 1; write 0.8 for 80 %, or off",
    ),
    (LEAST + "gate: {matched: 0.8}\n", '2:8: gate: unknown key "matched"; did you mean "matched_min"?'),
    *(
        (
            LEAST + f"store: {{url: '{url}'}}\n",
            f"2:14: store.url: {STORE_WANTED}",
        )
        for url in (
            "postgresql://h/d",
            "sqlite://",
            "sqlite:///",
            "sqlite:///:memory:",
            "sqlite:///d/",
            "sqlite+aiosqlite:///x.db",
            "sqlite:///x.db?mode=ro",
            "x.db",
        )
    ),
    *(
        (
            LEAST + f"web: {{listen: '{address}'}}\n",
            f'2:15: web.listen: "{address}" is not an address to listen on; write HOST:PORT, [IPv6]:PORT or off',
        )
        for address in (":8042", "localhost", "h:99999", "::1:8042", "h:-1")
    ),
    (
        LEAST + "web: {listen: false}\n",
        "2:15: web.listen: false is not an address to listen on; write HOST:PORT, [IPv6]:PORT or off",
    ),
    (
        LEAST + "web: {listen: '[1.2.3.4]:1'}\n",
        "2:15: web.listen: this text is not an IPv6 address and a port; write [::1]:PORT",
    ),
    *(
        (
            LEAST + f"web: {{listen: '{address}', metrics: token}}\n",
            REACHABLE,
        )
        for address in ("0.0.0.0:80", "[::]:80", "192.0.2.1:80", "gem.example.com:80")
    ),
    (
        LEAST + "web: {token: a-short-one-123}\n",
        "2:14: web.token: is shorter than 16 characters and could be guessed; make one with: openssl rand -hex 24",
    ),
    (LEAST + "web: {token: }\n", "2:14: web.token: is empty; give it a value or remove the key"),
    (LEAST + "web: {metrics: close}\n", '2:16: web.metrics: "close" is not known here; write one of open, token'),
    (
        LEAST + "web: {hosts: ['http://h', ok.example.com]}\n",
        "2:15: web.hosts[0]: is not a host name; write it without scheme and port, such as gemwatch.example.com",
    ),
    (
        LEAST + "web: {hosts: ['h:80']}\n",
        "2:15: web.hosts[0]: is not a host name; write it without scheme and port, such as gemwatch.example.com",
    ),
    (LEAST + "log: {level: infos}\n", '2:14: log.level: "infos" is not known here; did you mean "info"?'),
    (LEAST + "log: {format: xml}\n", '2:15: log.format: "xml" is not known here; write one of auto, console, json'),
]


@pytest.mark.parametrize(("text", "problem"), BROKEN, ids=[problem[:60] for _, problem in BROKEN])
def test_mistake_outside_the_watch_list_refuses_the_file(folder: Folder, text: str | bytes, problem: str) -> None:
    assert folder.problems(text) == [f"config.yaml:{problem}"]
    assert folder.load().settings is None


ID_WANTED = "is not a job id; write an integer from 1 to 9223372036854775807"
ENTRIES = [
    ("0123", f'3:5: watch[0]: "0123" {ID_WANTED}'),
    ("'0123'", f'3:5: watch[0]: "0123" {ID_WANTED}'),
    ("0o17", f'3:5: watch[0]: "0o17" {ID_WANTED}'),
    ("0x1F", f'3:5: watch[0]: "0x1F" {ID_WANTED}'),
    ("1_000", f'3:5: watch[0]: "1_000" {ID_WANTED}'),
    ("12:30", f'3:5: watch[0]: "12:30" {ID_WANTED}'),
    ("1e3", f'3:5: watch[0]: "1e3" {ID_WANTED}'),
    ("+5", f'3:5: watch[0]: "+5" {ID_WANTED}'),
    ("5.0", f"3:5: watch[0]: 5.0 {ID_WANTED}"),
    ("-5", f"3:5: watch[0]: -5 {ID_WANTED}"),
    ("0", f"3:5: watch[0]: 0 {ID_WANTED}"),
    ("true", f"3:5: watch[0]: true {ID_WANTED}"),
    ("yes", f'3:5: watch[0]: "yes" {ID_WANTED}'),
    ("9223372036854775808", f"3:5: watch[0]: 9223372036854775808 {ID_WANTED}"),
    ("", "3:4: watch[0]: an empty value is not a watch; write a job id or {job: ID, name: NAME}"),
    ("[5]", "3:5: watch[0]: a list is not a watch; write a job id or {job: ID, name: NAME}"),
    ("{name: x}", '3:5: watch[0]: the key "job" is missing'),
    ("{job: x}", f'3:11: watch[0].job: "x" {ID_WANTED}'),
    ("{job: 5, evry: 5m}", '3:14: watch[0]: unknown key "evry"; did you mean "every"?'),
    ("{job: 5, job: 6}", '3:14: watch[0]: duplicate key "job"; first at line 3'),
    ("{job: 5, name: 2026}", "3:20: watch[0].name: must be text; put it in quotes"),
    ("{job: 5, name: ''}", "3:20: watch[0].name: is empty; give it a value or remove the key"),
    ("{job: 5, name: ' '}", "3:20: watch[0].name: is empty; give it a value or remove the key"),
    ('{job: 5, name: "a\\nb"}', "3:20: watch[0].name: must be a single line of text"),
    ('{job: 5, name: "a\\u2028b"}', "3:20: watch[0].name: must be a single line of text"),
    ('{job: 5, name: "a\\0b"}', "3:20: watch[0].name: contains a control character"),
    ("{job: 5, name: " + "x" * 201 + "}", "3:20: watch[0].name: is longer than 200 characters"),
    ("{job: 5, notify: mail}", "3:22: watch[0].notify: must be a list"),
    ("{job: 5, notify: [mial]}", '3:23: watch[0].notify[0]: no target is named "mial"; did you mean "mail"?'),
    ("{job: 5, notify: [chat]}", '3:23: watch[0].notify[0]: no target is named "chat"; name one from notify'),
    ("{job: 5, every: 5x}", '3:21: watch[0].every: "5x" is not a duration; write 90s, 10m, 2h or 7d'),
    ("{job: 5, limits: {runing: 5m}}", '3:23: watch[0].limits: unknown key "runing"; did you mean "running"?'),
    ("{job: 5, gate: 0.8}", "3:20: watch[0].gate: must be a mapping, KEY: VALUE"),
    ("'${JOB}'", "3:5: watch[0]: variable JOB is not set: set it, or read a file with ${file:PATH}"),
]


@pytest.mark.parametrize(("entry", "problem"), ENTRIES, ids=[entry[:30] or "empty" for entry, _ in ENTRIES])
def test_invalid_entry_is_skipped_and_others_are_applied(folder: Folder, entry: str, problem: str) -> None:
    text = f"api: {{key: k}}\nwatch:\n  - {entry}\n  - 7\nnotify: {{mail: {{url: 'json://x'}}}}\n"
    loaded = folder.load(text)
    assert folder.problems() == [f"config.yaml:{problem}"]
    assert all(p.entry for p in loaded.problems)
    assert loaded.settings is not None
    assert loaded.settings.watches == (Watch(job_id=7),)


def test_all_mistakes_are_reported_in_line_order(folder: Folder) -> None:
    folder.write("- 0\n- {job: 7, nam: x}\n", "more.yaml")
    assert folder.problems(
        """\
api: {key: "${NONE}", tokn: 1, token: {value: 5, command: "'"}}
watch:
  - {job: 7, every: never, notify: [x], nam: y}
  - 8
  - 8
watch_files: [more.yaml, none.yaml]
poll: {every: 0, alert_after: x}
poll: {}
"""
    ) == [
        "config.yaml:1:12: api.key: variable NONE is not set: set it, or read a file with ${file:PATH}",
        'config.yaml:1:23: api: unknown key "tokn"; did you mean "token"?',
        "config.yaml:1:39: api.token: give exactly one of command, file, value, azure",
        "config.yaml:1:47: api.token.value: must be text; put it in quotes",
        f"config.yaml:1:59: api.token.command: {UNCLOSED}",
        'config.yaml:3:21: watch[0].every: "never" is not a duration; write 90s, 10m, 2h or 7d',
        'config.yaml:3:37: watch[0].notify[0]: no target is named "x"; name one from notify',
        'config.yaml:3:41: watch[0]: unknown key "nam"; did you mean "name"?',
        "config.yaml:5:5: watch[2]: job 8 is already watched; first at config.yaml:4:5",
        "config.yaml:6:26: watch_files[1]: does not exist; create it or remove it from the list",
        "config.yaml:7:15: poll.every: must be longer than 0",
        'config.yaml:7:31: poll.alert_after: "x" is not a duration; write 90s, 10m, 2h or 7d',
        'config.yaml:8:1: top level: duplicate key "poll"; first at line 7',
        f"more.yaml:1:3: watch[0]: {ID_WANTED}",
        'more.yaml:2:12: watch[1]: unknown key; did you mean "name"?',
    ]


def test_second_watch_of_an_id_is_the_invalid_one(folder: Folder) -> None:
    folder.write("- 5\n- '5'\n- 6\n", "more.yaml")
    loaded = folder.load(LEAST + "watch:\n- {job: 5, name: first}\nwatch_files: [more.yaml]\n")
    assert folder.problems() == [
        "more.yaml:1:3: watch[0]: this job is already watched; first at config.yaml:3:3",
        "more.yaml:2:3: watch[1]: this job is already watched; first at config.yaml:3:3",
    ]
    assert loaded.settings is not None
    assert loaded.settings.watches == (Watch(job_id=5, name="first"), Watch(job_id=6))


def test_invalid_entry_does_not_block_a_valid_one_of_its_id(folder: Folder) -> None:
    loaded = folder.load(LEAST + "watch: [{job: 5, every: x}, 5]\n")
    assert len(loaded.problems) == 1
    assert loaded.settings is not None
    assert loaded.settings.watches == (Watch(job_id=5),)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: file: is empty"),
        ("# none\n", "1:1: file: has nothing but comments"),
        ("watch: [1]\n", "1:1: watch: must be a list of watches; write [] for none"),
        ("~\n", "1:1: watch: must be a list of watches; write [] for none"),
        ("- [\n", None),
        (b"\x00", "1:1: file: is not plain text: it contains U+0000 in line 1"),
    ],
)
def test_ambiguous_watch_file_refuses_the_configuration(
    folder: Folder, text: str | bytes, problem: str | None
) -> None:
    folder.write(text, "watch.d/a.yaml")
    problems = folder.problems(LEAST + "watch_files: [watch.d/*.yaml]\n")
    assert len(problems) == 1
    assert problem is None or problems == [f"watch.d/a.yaml:{problem}"]
    assert folder.load().settings is None


def test_empty_watch_lists_and_patterns_are_valid(folder: Folder) -> None:
    folder.write("[]\n", "a.yaml")
    assert folder.settings(LEAST + "watch_files: [a.yaml, none.d/*.yaml]\n").watches == ()


def test_file_that_two_patterns_match_is_read_once(folder: Folder) -> None:
    folder.write("[5]\n", "w/a.yaml")
    assert folder.settings(LEAST + "watch_files: [w/*.yaml, w/a.yaml]\n").watches == (Watch(job_id=5),)


def test_folder_with_pattern_characters_is_taken_literally(tmp_path: Path) -> None:
    (tmp_path / "[x]*").mkdir()
    folder = Folder(tmp_path / "[x]*")
    folder.write("[5]\n", "w/a.yaml")
    assert folder.settings(LEAST + "watch_files: [w/*.yaml]\n").watches == (Watch(job_id=5),)


def test_folder_without_permission_is_an_error(folder: Folder) -> None:
    watches = folder.write("[5]\n", "w/a.yaml").parent
    # A first load imports all that is needed: Python itself may be closed to other users.
    assert folder.settings(LEAST + "watch_files: [w/*.yaml]\n").watches == (Watch(job_id=5),)
    watches.chmod(0)
    with unprivileged(folder.path):
        [problem] = folder.problems()
    watches.chmod(0o700)
    assert problem == "config.yaml:2:15: watch_files[0]: the folder w cannot be read; give gemwatch permission"


def test_special_files_are_refused_without_blocking(folder: Folder) -> None:
    assert folder.problems() == ["config.yaml:1:1: file: cannot be read: No such file or directory"]
    folder.main.mkdir()
    assert folder.problems() == ["config.yaml:1:1: file: cannot be read: Is a directory"]
    folder.main.rmdir()
    os.mkfifo(folder.main)
    assert folder.problems() == ["config.yaml:1:1: file: is not a regular file"]
    folder.main.unlink()
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(folder.main))
        assert folder.problems() == ["config.yaml:1:1: file: cannot be read: No such device or address"]
    folder.main.unlink()
    folder.main.symlink_to(folder.main)
    assert folder.problems() == ["config.yaml:1:1: file: cannot be read: Too many levels of symbolic links"]


def test_file_without_permission_is_refused(folder: Folder) -> None:
    folder.settings(LEAST)  # as above
    folder.main.chmod(0)
    with unprivileged(folder.path):
        assert folder.problems() == ["config.yaml:1:1: file: cannot be read: Permission denied"]


def test_byte_order_mark_and_crlf_are_accepted(folder: Folder) -> None:
    folder.write(b"\xef\xbb\xbfapi: {key: k}\r\nwatch:\r\n  - 5\r\n")
    loaded = folder.load()
    assert loaded.problems == ()
    assert loaded.settings is not None
    assert loaded.settings.watches == (Watch(job_id=5),)


def test_alias_bomb_is_refused(folder: Folder) -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 100))
    assert folder.problems(bomb)
    assert folder.load().settings is None


def unset(name: str) -> str:
    return f"variable {name} is not set: set it, or read a file with ${{file:PATH}}"


REFERENCES = [
    ("${NAME}", "Ärger & Co"),
    ("a ${NAME} b ${ONE}", "a Ärger & Co b 1"),
    ("${NONE:-some default}", "some default"),
    ("${NOTHING:-some default}", "some default"),
    ("${NONE:-a$$b}", "a$b"),
    ("$$ and $${NAME}", "$ and ${NAME}"),
    ("costs 5$ or $x", "costs 5$ or $x"),
    ("${file:name.txt}", "from a file"),
    ("${CUNNING}", "${NAME} $$"),
]


@pytest.mark.parametrize(("written", "meant"), REFERENCES)
def test_references_work_inside_any_string(folder: Folder, written: str, meant: str) -> None:
    folder.write("from a file\r\n", "name.txt")
    environ = {"NAME": "Ärger & Co", "ONE": "1", "NOTHING": "", "CUNNING": "${NAME} $$"}
    settings = folder.settings(LEAST + f"watch: [{{job: 5, name: '{written}'}}]\n", **environ)
    assert settings.watches[0].name == meant


@pytest.mark.parametrize(
    ("written", "what"),
    [
        ("${NONE}", "variable NONE is not set: set it, or read a file with ${file:PATH}"),
        (
            "${A}${B}",
            f"{unset('A')}; {unset('B')}",
        ),
        ("${NAME", "${ without a closing }; write ${NAME}, ${NAME:-default} or ${file:PATH}, and $$ for a dollar"),
        (
            "${}",
            "${...} contains no variable name; write ${NAME}, ${NAME:-default} or ${file:PATH}, and $$ for a dollar",
        ),
        (
            "${a b}",
            "${...} contains no variable name; write ${NAME}, ${NAME:-default} or ${file:PATH}, and $$ for a dollar",
        ),
        ("${NONE:-${NAME}}", "a reference inside a reference is not supported"),
    ],
)
def test_unresolved_reference_is_an_error(folder: Folder, written: str, what: str) -> None:
    assert folder.problems(f"api: {{key: '{written}'}}\n", NAME="x") == [f"config.yaml:1:12: api.key: {what}"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none", "cannot be read: No such file or directory"),
        (".", "cannot be read: Is a directory"),
        ("binary", "is not plain text: it contains U+0000 in line 1"),
        ("large", "is larger than 1024 KiB"),
    ],
)
def test_unreadable_referenced_file_is_named(folder: Folder, name: str, why: str) -> None:
    folder.write(b"\0", "binary")
    folder.write(b"x" * 1_048_577, "large")
    [problem] = folder.problems(f"api: {{key: '${{file:{name}}}'}}\n")
    path = str(folder.path / name)
    assert problem.replace(path, name) == f'config.yaml:1:12: api.key: file "{name}" {why}'


def test_numbers_durations_and_ids_may_come_from_references(folder: Folder) -> None:
    settings = folder.settings(
        "api: {key: k, timeout: '${T}', max_in_flight: '${N}', max_rate: '${R}'}\n"
        "notify: {a: {url: '${U}', on: ['${E}']}}\n"
        "watch: ['${J}', {job: '${K}', every: '${T}', notify: ['${A}']}]\n",
        T="5m", N="7", R="0.5", J="11", K="12", U="json://x", E="failed", A="a",
    )  # fmt: skip
    assert settings.api.timeout == timedelta(minutes=5)
    assert (settings.api.max_in_flight, settings.api.max_rate) == (7, 0.5)
    assert settings.targets == (Target(name="a", url="json://x", on=frozenset({EventKind.FAILED})),)
    assert settings.watches == (
        Watch(job_id=11),
        Watch(job_id=12, notify=("a",), every=timedelta(minutes=5)),
    )


PLACES_FOR_SECRETS = [
    "api: {key: '${S} x', base_url: '${S}', timeout: '${S}', max_in_flight: '${S}', max_rate: '${S}'}",
    'api: {key: k, token: {command: "${S} \'"}}',
    "api: {key: k, token: {value: '${S} x'}}",
    "api: {key: k, token: '${S}'}",
    "api: {key: '${file:secret} x'}",
    "api: {key: k, max_in_flight: '${none:-s3cret-hunter2}'}",
    "api: {key: 's3cret-hunter2 x'}",
    "api: {key: k, token: {value: 's3cret-hunter2 x'}}",
    "api: {key: k, base_url: 'ftp://s3cret-hunter2'}",
    "{api: {key: k}, notify: {a: {url: '${S}', on: ['${S}']}}}",
    "{api: {key: k}, notify: {a: {url: s3cret-hunter2, on: '${S}'}}}",
    "{api: {key: k}, notify: {'slack://s3cret-hunter2': {url: x}}}",
    "{api: {key: k}, notify: ['slack://s3cret-hunter2']}",
    "{api: {key: k}, notify: {a: 'slack.s3cret-hunter2'}}",
    "{api: {key: k}, notify: {a: '${S}'}}",
    "{api: {key: k}, notify: {a: {url: 'x://y', fallback: '${S}', format: '${S}', time_zone: '${S}'}}}",
    "{api: {key: k}, web: {public_url: '${S}', proxies: ['${S}'], badge: '${S}'}}",
    "{api: {key: k}, watch: ['${S}', {job: '${S}', every: '${S}', notify: ['${S}', 'slack://s3cret-hunter2']}]}",
    "{api: {key: k}, watch_files: '${S}', store: {url: '${S}'}, web: {listen: '${S}'}, log: {level: '${S}'}}",
    "{api: {key: k}, heartbeat: {url: '${S}', every: '${S}'}}",
    "{api: {key: k}, heartbeat: 'https://h/s3cret-hunter2'}",
    "{api: {key: k}, heartbeat: {url: 'x://h/s3cret-hunter2'}}",
    "api: {key: !s3cret-hunter2 x}",
    "api: {key: *s3cret-hunter2}",
    "api: {key: ${s3cret-hunter2}}",
    "api: {'slack://s3cret-hunter2': x, 'slack://s3cret-hunter2': y}",
]


@pytest.mark.parametrize("text", PLACES_FOR_SECRETS)
def test_no_problem_shows_a_secret(folder: Folder, text: str) -> None:
    folder.write(SECRET, "secret")
    problems = folder.problems(text, S=SECRET)
    assert problems
    assert SECRET not in str(problems)


def test_settings_and_problems_show_no_secret_when_printed(folder: Folder) -> None:
    text = f"api: {{key: {SECRET}, token: {{value: {SECRET}}}}}\nnotify: {{a: {{url: 'x://{SECRET}'}}}}\n"
    text += f"heartbeat: {{url: 'https://h/{SECRET}'}}\nweb: {{token: '{SECRET}-{SECRET}'}}\n"
    assert folder.settings(text)
    assert SECRET not in repr(folder.load())


def test_web_access_keys_are_read(folder: Folder) -> None:
    text = "web: {listen: '0.0.0.0:80', token: sixteen-letters., metrics: token, "
    text += "hosts: [a.example.com, '[2001:DB8::1]']}\n"
    assert folder.settings(LEAST + text).web == WebSettings(
        host="0.0.0.0", port=80, token="sixteen-letters.", metrics="token", hosts=("a.example.com", "2001:db8::1")
    )


def test_target_may_be_only_its_url(folder: Folder) -> None:
    settings = folder.settings(LEAST + "notify: {a: 'json://x', b: '${B}'}\n", B="json://y")
    assert settings.targets == (Target(name="a", url="json://x"), Target(name="b", url="json://y"))
    [unset_variable] = folder.problems(LEAST + "notify: {b: '${B}'}\n")
    assert unset_variable == f"config.yaml:2:13: notify.b: {unset('B')}"


def test_target_has_a_format_and_a_time_zone(folder: Folder) -> None:
    text = "notify: {a: {url: 'json://x', format: html, time_zone: Europe/Amsterdam, fallback: b, missed: each}, "
    text += "b: 'json://y'}\n"
    assert folder.settings(LEAST + text).targets[0] == Target(
        name="a",
        url="json://x",
        format=TargetFormat.HTML,
        time_zone="Europe/Amsterdam",
        fallback="b",
        missed=Missed.EACH,
    )


def test_public_url_must_name_a_web_host(folder: Folder) -> None:
    text = "name: prod\nweb: {public_url: 'https://Gem.Example.com/gem/', proxies: [10.0.0.0/8, '::1'], badge: open, "
    text += "hosts: [other.example.com]}\npoll: {list_every: 1m}\n"
    settings = folder.settings(LEAST + text)
    assert (settings.name, settings.poll.list_every) == ("prod", timedelta(minutes=1))
    assert settings.web == WebSettings(
        hosts=("other.example.com", "gem.example.com"),
        public_url="https://Gem.Example.com/gem",
        proxies=(ip_network("10.0.0.0/8"), ip_network("::1")),
        badge="open",
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("127.9.9.9:80", WebSettings(host="127.9.9.9", port=80)),
        ("LocalHost:80", WebSettings(host="LocalHost", port=80)),
        ("localhost:0", WebSettings(host="localhost", port=0)),
        ("[::1]:8042", WebSettings(host="::1", port=8042)),
        ("off", WebSettings(host=None)),
    ],
)
def test_web_listen_sets_host_and_port(folder: Folder, written: str, meant: WebSettings) -> None:
    assert (
        folder.settings(LEAST + f"web: {{listen: {written if written == 'off' else repr(written)}}}\n").web == meant
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("az token --x 'a b'", ("az", "token", "--x", "a b")),
        ("[az, token]", ("az", "token")),
        (">-\n      az\n      token\n", ("az", "token")),
    ],
)
def test_token_command_is_a_line_or_a_list(folder: Folder, written: str, meant: tuple[str, ...]) -> None:
    settings = folder.settings(f"api:\n  key: k\n  token:\n    command: {written}\n")
    assert settings.api.token == TokenSource(command=meant)


def test_relative_paths_start_at_the_configuration_folder(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.write("- 5\n", "w/a.yaml")
    folder.write("api: {key: k, token: {file: t}}\nwatch_files: [w/a.yaml]\nstore: {url: 'sqlite:///x.db'}\n")
    monkeypatch.chdir(folder.path.parent)
    loaded = load(Path(folder.path.name) / "config.yaml", {}, url_problem=url_problem)
    assert loaded.settings is not None
    assert loaded.settings.store.place == folder.path / "x.db"
    assert loaded.settings.api.token.file == folder.path / "t"
    assert loaded.settings.watches == (Watch(job_id=5),)


def test_absolute_store_path_stays_where_it_is(folder: Folder) -> None:
    assert folder.settings(LEAST + "store: {url: 'sqlite:////var/x.db'}\n").store.place == Path("/var/x.db")


def test_limits_and_gates_apply_to_all_or_one_watch(folder: Folder) -> None:
    settings = folder.settings(
        LEAST + "limits: {queued: 2h, running: auto}\ngate: {matched_min: '${MIN}', roads_change_max: 1}\n"
        "watch:\n  - {job: 5, limits: {running: 90, queued: off}, gate: {matched_min: off}}\n"
        "  - {job: 6, gate: {}}\n",
        MIN="0.8",
    )
    assert settings.limits == Limits(queued=timedelta(hours=2), running=LimitWord.AUTO)
    assert settings.gate == Gate(matched_min=0.8, roads_change_max=1.0)
    own, bare = settings.watches
    assert own.limits == Limits(queued=LimitWord.OFF, running=timedelta(seconds=90))
    assert own.gate == Gate(matched_min=OFF)
    assert (bare.limits, bare.gate) == (None, None)


def test_large_list_is_read_completely(folder: Folder) -> None:
    text = LEAST + "watch:\n" + "".join(f"  - {n}\n" for n in range(1, 20_001))
    assert len(folder.settings(text).watches) == 20_000


def test_sources_are_all_files_but_the_token_file(folder: Folder) -> None:
    folder.write("- 5\n", "w/a.yaml")
    folder.write("k", "key")
    loaded = folder.load(
        "api: {key: '${file:key}', token: {file: token}}\nwatch_files: [w/*.yaml, none.yaml]\n",
    )
    sources = loaded.sources
    assert set(sources.files) == {folder.main, folder.path / "key", folder.path / "none.yaml"}
    assert sources.patterns == (f"{folder.path}/w/*.yaml",)
    assert sources.seen.keys() == {*sources.files, folder.path / "w/a.yaml"}
    assert sources.stamps() == sources.seen
    assert loaded.texts.keys() == {folder.main, folder.path / "w/a.yaml"}


@pytest.mark.parametrize("text", ["", "a: [", "- 1", LEAST + "watch_files: ['*.yaml']\n", LEAST + "poll: 5\n"])
def test_refused_configuration_is_watched_for_changes(folder: Folder, text: str) -> None:
    folder.write("- 5\n", "other.yaml")
    sources = folder.load(text).sources
    assert folder.main in sources.files
    assert sources.stamps() == sources.seen


@pytest.mark.parametrize(
    ("previous", "now", "cut"),
    [
        ("watch:\n- 1234\n", "watch:\n- 12", True),
        ("watch:\n- 1234", "watch:\n- 12", True),
        ("watch:\n- 1234\n", "watch:\n- 1234", False),
        ("watch:\r\n- 1234\r\n", "watch:\r\n- 1234", False),
        ("watch:\n- 1234\n", "watch:\n", False),
        ("watch:\n- 1234\n", "watch:\n- 1234\n", False),
        ("watch:\n- 1234\n", "watch:\n- 13", False),
        ("watch:\n- 12\n", "watch:\n- 1234", False),
        ("", "", False),
    ],
)
def test_text_that_stops_inside_a_line_is_truncated(previous: str, now: str, *, cut: bool) -> None:
    assert cut_short(previous, now) is cut


def test_truncated_file_is_refused_by_its_previous_text(folder: Folder) -> None:
    whole = folder.load(LEAST + "watch:\n  - 1234\n")
    folder.write(LEAST + "watch:\n  - 12")
    cut = load(folder.main, {}, url_problem=url_problem, previous=whole.texts)
    assert cut.settings is None
    [problem] = cut.problems
    assert str(problem) == (
        f"{folder.main}:1:1: file: looks cut short in line 3: saved halfway? If it is complete, end that line"
    )


FULL = """\
api:
  key: ${KEY}   # comment
notify: {mail: {url: "json://x"}}
watch:
  - 1234
  - {job: 5678, name: "six", notify: [mail], every: 5m}
  - job: 91011
    every: 10m
  - "4711"
poll:
  every: 30s
"""


@given(st.integers(0, len(FULL)))
def test_truncated_file_never_yields_a_new_watch(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    folder = Folder(tmp_path_factory.mktemp("cut"))
    whole = folder.load(FULL, KEY="k")
    assert whole.settings is not None
    folder.write(FULL[:length])
    cut = load(folder.main, {"KEY": "k"}, url_problem=url_problem, previous=whole.texts)
    if cut.settings is not None:
        assert {w.job_id for w in cut.settings.watches} <= {w.job_id for w in whole.settings.watches}


WORDS = st.sampled_from(
    [*"[]{}:,-?#&*!|>'\"%@`$~ \n\t", "\n  ", "- ", ": ", "${A}", "${", "5", "5m", "x", "\0", "é", *FULL.split()]
)


@given(st.binary() | st.lists(WORDS).map("".join).map(str.encode))
def test_arbitrary_bytes_never_raise(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = Folder(tmp_path_factory.mktemp("any"))
    folder.write(content, "more.yaml")
    for loaded in (folder.load(content), folder.load(LEAST + "watch_files: [more.yaml]\n")):
        assert loaded.settings is not None or loaded.problems
