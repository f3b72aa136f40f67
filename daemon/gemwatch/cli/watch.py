"""`gemwatch watch` and `unwatch`: edit the watch list in the configuration file."""

import os
from typing import Annotated

import typer

from gemwatch.cli.common import MISUSED, Config, config_path, fail, job_id

JobId = Annotated[int, typer.Argument(metavar="JOB_ID", parser=job_id, help="The GEM job's number.")]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What to call the job in messages.")]
Notify = Annotated[
    list[str] | None, typer.Option("--notify", metavar="TARGET", help="Notify only this target; may be repeated.")
]


def watch(
    context: typer.Context, job: JobId, name: Name = None, notify: Notify = None, config: Config = None
) -> None:
    """Add a job to the watch list.

    A running daemon applies it within 5 s.
    """
    from gemwatch.adapters.config.edit import EditRefused, add_watch
    from gemwatch.adapters.notify.urls import url_problem
    from gemwatch.core.settings import Watch

    path = config_path(context, config)
    entry = Watch(job_id=job, name=name, notify=tuple(notify) if notify else None)
    try:
        add_watch(path, entry, os.environ, url_problem)
    except EditRefused as error:
        fail(str(error), MISUSED)
    typer.echo(f"{path}: job {job} is on the watch list. A running daemon takes it within 5 s.")


def unwatch(context: typer.Context, job: JobId, config: Config = None) -> None:
    """Remove a job from the watch list.

    Its history is kept.
    """
    from gemwatch.adapters.config.edit import EditRefused, remove_watch
    from gemwatch.adapters.notify.urls import url_problem

    try:
        edited = remove_watch(config_path(context, config), job, os.environ, url_problem)
    except EditRefused as error:
        fail(str(error), MISUSED)
    typer.echo(f"{edited}: job {job} is off the watch list. Its history is kept.")
