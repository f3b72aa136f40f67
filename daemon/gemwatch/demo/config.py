"""The demo's configuration file: an ordinary one, whose addresses are all on this machine."""

import json
import sys
from collections.abc import Iterable

from gemwatch.demo.gem import BASE_PATH, KEY, TOKEN_PATH
from gemwatch.demo.lives import FOUND, GROUP, Life
from gemwatch.demo.server import LOOPBACK

TEAM_CHAT, DATA_MAIL = "team-chat", "data-mail"
PLACES = {"chat": TEAM_CHAT, "mail": DATA_MAIL}  # in the inbox; short words, since longer ones are masked in logs

_TEXT = """\
# What `gemwatch demo` runs with. It is temporary, and every address in it is on this machine.
api:
  base_url: http://{there}{base_path}
  key: {key}
  token:
    command: {login}
  timeout: 5s
  max_rate: 0
poll:
  every: 1s
  not_found_after: 5
  list_every: 2s
notify:
  {team_chat}: {{url: "json://{there}/inbox/chat", on: all}}
  {data_mail}: {{url: "json://{there}/inbox/mail", on: [success, failed]}}
limits: {{running: auto}}
gate: {{matched_min: 0.8, matched_drop_max: 0.05, roads_change_max: 0.2}}
watch:
{watches}
discover:
  - {{input: "nord_*.parquet", name: "{{input}}", notify: [{team_chat}], group: {group}}}
groups:
  {group}: {{expect: {expect}, members: quiet}}
store:
  url: sqlite:///gemwatch.db
web:
  listen: {listen}
log: {{level: info, format: json}}
"""


def configuration(lives: Iterable[Life], *, port: int, web_port: int) -> str:
    """The text of the file. `port` is where the simulations are served."""
    there = f"{LOOPBACK}:{port}"
    login = [sys.executable, "-m", "gemwatch.demo.login", f"http://{there}{TOKEN_PATH}"]
    return _TEXT.format(
        there=there,
        base_path=BASE_PATH,
        key=KEY,
        login=json.dumps([word.replace("$", "$$") for word in login]),
        team_chat=TEAM_CHAT,
        data_mail=DATA_MAIL,
        watches="\n".join(f"  - {_entry(life)}" for life in lives),
        group=GROUP,
        expect=len(FOUND),
        listen=f"{LOOPBACK}:{web_port}",
    )


def _entry(life: Life) -> str:
    if life.name is None:
        return str(life.job_id)
    notify = f", notify: [{life.notify}]" if life.notify else ""
    return f"{{job: {life.job_id}, name: {life.name}{notify}}}"
