"""`gemwatch status`: the watched jobs and how the service is."""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gemwatch.cli.common import MISUSED, Config, Json, config_path, fail, open_store, print_json
from gemwatch.cli.tables import coloured, expected, local, table, zone

if TYPE_CHECKING:
    from rich.console import Group

Follow = Annotated[bool, typer.Option("--follow", "-f", help="Keep showing it, until Ctrl-C.")]
All = Annotated[bool, typer.Option("--all", help="Also jobs that are watched no longer.")]


def status(
    context: typer.Context,
    config: Config = None,
    *,
    everything: All = False,
    follow: Follow = False,
    as_json: Json = False,
) -> None:
    """Show the watched jobs. The JSON form holds every job in the store, with `watched` true or false."""
    from gemwatch.adapters.store.records import Records

    if follow and as_json:
        fail("--follow shows a table, it does not go with --json", MISUSED)
    records = Records(open_store(config_path(context, config)))
    if as_json:
        print_json(records.status())
    elif follow:
        _follow(records, everything=everything)
    else:
        from rich.console import Console

        Console().print(_shown(records.status(), everything=everything))


def _follow(records: Any, *, everything: bool) -> None:
    from rich.live import Live

    try:
        with Live(_shown(records.status(), everything=everything), auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(1)
                live.update(_shown(records.status(), everything=everything), refresh=True)
    except KeyboardInterrupt:
        return


def _shown(document: dict[str, Any], *, everything: bool) -> "Group":
    from rich.console import Group
    from rich.text import Text

    jobs = [job for job in document["jobs"] if job["watched"] or everything]
    service = document["service"]
    expiry = local(service["token_expires_at"])
    lines = Text(f"Login: {service['login']}   API: {service['api']}   Token: {f'until {expiry}' if expiry else '-'}")
    if not jobs:
        return Group(Text("No job is watched."), lines)
    columns = ["Job", "Name", "Status", "Since", "Expected end", "Last poll", "Next poll", "Remark"]
    return Group(table(columns, map(_row, jobs), zone()), lines)


def _row(job: dict[str, Any]) -> list[Any]:
    return [
        str(job["job_id"]),
        job["name"],
        coloured(job["status"]),
        local(job["status_since"]),
        expected(job["estimate"]) if not job["finished"] else " ",
        local(job["last_polled_at"]),
        local(job["next_poll_at"]),
        _remark(job),
    ]


def _remark(job: dict[str, Any]) -> str:
    if not job["watched"]:
        return "no longer watched"
    if job["needs_review"]:
        return f"needs review: {'; '.join(job['needs_review'])}"
    if job["misses"]:
        return f"not found, {job['misses']} times in a row"
    if job["last_error"]:
        return str(job["last_error"])
    passed = ", ".join(word.replace("-", " ") for word in job["limits_passed"])
    return passed or ("finished" if job["finished"] else " ")
