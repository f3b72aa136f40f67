"""`gemwatch watch` and `unwatch`: edit the watch list in the configuration file."""

import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from socket import gethostname
from typing import Annotated

import typer

from gemwatch.cli import completion
from gemwatch.cli.common import MISUSED, Config, config_path, fail, job_id, open_store
from gemwatch.cli.discovery.rules import has_store, keeping_away, let_back, let_back_to_later_rules, ruled, rules_in
from gemwatch.cli.output.streams import complain
from gemwatch.core.settings import Watch

STANDARD_INPUT = "-"


def _word(word: str) -> str:
    """An id, or that ids come from standard input. Others end the command with code 2."""
    return word if word == STANDARD_INPUT else str(job_id(word))


JobIds = Annotated[
    list[str] | None,
    typer.Argument(
        parser=_word, metavar="JOB_ID", help="The jobs; - reads ids from standard input.", show_default=False
    ),
]
WatchedIds = Annotated[
    list[str] | None,
    typer.Argument(
        parser=_word,
        metavar="JOB_ID",
        help="The jobs; - reads ids from standard input.",
        autocompletion=completion.job_ids,
        show_default=False,
    ),
]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="The job's name in messages.")]
Notify = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        metavar="TARGET",
        help="Notify only this target; may be repeated.",
        autocompletion=completion.targets,
    ),
]
Finished = Annotated[bool, typer.Option("--finished", help="All jobs that have ended.")]


def watch(
    context: typer.Context, jobs: JobIds = None, name: Name = None, notify: Notify = None, config: Config = None
) -> None:
    """Add jobs to the watch list.

    A running daemon applies the change within 5 s. A job that is already watched is reported and left as it is.
    If one id is wrong, nothing is changed.
    """
    from gemwatch.adapters.config.edit import EditRefusedError, add_watches
    from gemwatch.adapters.notify.urls import url_problem

    ids = _ids(jobs or [])
    if name is not None and len(ids) > 1:
        raise typer.BadParameter("a name is for one job; leave it out or name one job", param_hint="--name")
    path = config_path(context, config)
    to = tuple(notify) if notify else None
    try:
        there = add_watches(path, [Watch(job_id=one, name=name, notify=to) for one in ids], os.environ, url_problem)
    except EditRefusedError as error:
        fail(str(error), MISUSED)
    for entry in there:
        typer.echo(f"{entry.place}: job {entry.job_id} is already watched")
    new = [one for one in ids if one not in {entry.job_id for entry in there}]
    for one in new:
        typer.echo(f"{path}: job {one} is on the watch list")
    if new:
        typer.echo("A running daemon applies the change within 5 s.")
        _hint_at_leader(path)
    if not rules_in(path):
        let_back_to_later_rules(path, ids)
    elif has_store(path):
        let_back(path, ids)


def unwatch(
    context: typer.Context, jobs: WatchedIds = None, config: Config = None, *, finished: Finished = False
) -> None:
    """Remove jobs from the watch list.

    It also ends watches that rules under discover made, and keeps their jobs away from the rules. History is kept.
    If one id is wrong or is not watched, nothing is changed.
    """
    from gemwatch.adapters.config.edit import EditRefusedError, remove_watches, watched
    from gemwatch.adapters.notify.urls import url_problem

    if finished and jobs:
        raise typer.BadParameter("name jobs or use --finished, not both", param_hint="--finished")
    given = [] if finished else _ids(jobs or [])
    path = config_path(context, config)
    of_rules = ruled(path)
    ids = given or _finished(path, of_rules)
    if not ids:
        typer.echo("No job on the watch list has ended.")
        return
    try:
        listed = watched(path, os.environ, url_problem)
        kept = has_store(path)  # also without rules: one that is added later does not find these jobs
        away = [one for one in ids if one in of_rules or (kept and one in listed)]
        in_files = [one for one in ids if one not in of_rules or one in listed]
        if unknown := [one for one in in_files if one not in listed]:
            remove_watches(path, unknown, os.environ, url_problem)  # refuses them
        with keeping_away(path, away):  # around the edit: both or neither, and no rule finds them in between
            removed = remove_watches(path, in_files, os.environ, url_problem) if in_files else ()
    except EditRefusedError as error:
        fail(str(error), MISUSED)
    for entry in removed:
        typer.echo(f"{entry.file}: job {entry.job_id} is off the watch list")
    for one in away if rules_in(path) else ():
        typer.echo(f"job {one} is kept away from the rules. To undo this, run: gemwatch watch {one}")
    typer.echo("A running daemon applies the change within 5 s. The history is kept.")
    _hint_at_leader(path)


def _hint_at_leader(path: Path) -> None:
    """On a host whose daemon follows another one: the edit has no effect before the leader's file has it too."""
    from gemwatch.adapters.config.file import load_sections
    from gemwatch.adapters.store.info import replicas_in
    from gemwatch.core.text.replicas import leader_of

    settings = load_sections(path, os.environ, ("store.url",)).settings
    replicas = () if settings is None else replicas_in(settings.store.place)
    here = [one for one in replicas if one.host == gethostname()]
    leader = leader_of(replicas)
    if here and leader is not None and not any(one.leader for one in here):
        complain(
            f"The daemon on this host follows {leader}, which applies its own files. Make the same change there, or "
            "copy the file."
        )


def _ids(words: Sequence[str]) -> list[int]:
    """The ids, each once, in their order. One wrong id ends the command with code 2."""
    given = [one for word in words for one in (sys.stdin.read().split() if word == STANDARD_INPUT else [word])]
    if not given:
        raise typer.BadParameter("name at least one job", param_hint="JOB_ID")
    return list(dict.fromkeys(map(job_id, given)))


def _finished(path: Path, of_rules: Collection[int]) -> list[int]:
    """The watched jobs that have ended, by the store."""
    from gemwatch.adapters.config.edit import watched
    from gemwatch.adapters.notify.urls import url_problem
    from gemwatch.adapters.store.reads.records import Records

    engine = open_store(path)
    try:
        jobs = Records(engine).status().jobs
    finally:
        engine.dispose()
    listed = watched(path, os.environ, url_problem) | set(of_rules)
    return [job.job_id for job in jobs if job.job_id in listed and job.finished]
