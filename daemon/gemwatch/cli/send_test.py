"""`gemwatch test-notify`: a sample message to each target, and whether it arrived."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import typer

from gemwatch.cli.common import FAILED, MISUSED, Config, SomeTargets, config_path, fail, settings_of

if TYPE_CHECKING:
    from gemwatch.core.settings import Settings
    from gemwatch.core.text.rendering import Rendered
    from gemwatch.core.work import Outcome


def send_test(context: typer.Context, targets: SomeTargets = None, config: Config = None) -> None:
    """Send a sample message to targets.

    It shows for each target whether the message arrived.
    """
    from gemwatch.core.work import Sent

    settings = settings_of(config_path(context, config))
    known = [target.name for target in settings.targets]
    names = list(dict.fromkeys(targets or known))
    unknown = [name for name in names if name not in known]
    if unknown:
        fail(f"no target is called {', '.join(unknown)}; there are: {', '.join(known) or 'none'}", MISUSED)
    if not names:
        fail("the configuration names no target under notify", MISUSED)
    failed = False
    for name, outcome in zip(names, asyncio.run(_send(settings, names)), strict=True):
        if isinstance(outcome, Sent):
            typer.echo(f"{name}: arrived")
        else:
            failed = True
            typer.echo(f"{name}: {outcome.reason}", err=True)
    if failed:
        raise typer.Exit(FAILED)


async def _send(settings: "Settings", names: list[str]) -> "list[Outcome]":
    from gemwatch.adapters.notify.targets import Targets
    from gemwatch.core.secrets import Secrets

    places = Targets([target for target in settings.targets if target.name in names], Secrets())
    try:
        return await asyncio.gather(*(places.send(name, _sample()) for name in names))
    finally:
        places.close()


def _sample() -> "Rendered":
    """The example of TomTom's documentation, as a message."""
    from dataclasses import replace

    from gemwatch.core.events import Event
    from gemwatch.core.facts import SuccessFacts
    from gemwatch.core.job import JobDetails, Statistics, Status
    from gemwatch.core.text.compose import compose
    from gemwatch.core.text.message import Paragraph
    from gemwatch.core.text.rendering import Format, render

    now = datetime.now(UTC)
    job = JobDetails(
        job_id=123456789,
        status=Status.SUCCESS,
        storage_id="storage-001",
        input_filename="test_data.parquet",
        result_filename="test_data.results.parquet",
        job_type="ROAD_MATCHING",
        overture_release="2026-01-21.0",
        requested_at=datetime(2026, 2, 18, 10, 38, 59, 31762, tzinfo=UTC),
        statistics=Statistics(
            confidence_threshold=60,
            execution_time=timedelta(seconds=9751),
            kilometres=80208.39,
            roads=397613,
            matched=0.8468,
            fully_matched=0.675,
            partially_matched=0.1718,
            unmatched=0.1531,
        ),
    )
    facts = SuccessFacts(job=job, before=Status.IN_PROGRESS)
    message = compose(0, Event(at=now, job_id=job.job_id, name="a test of gemwatch", facts=facts), now=now)
    test = Paragraph(line=("This is a test. No job has finished.",))
    return render(replace(message, title=("TEST: ", *message.title), blocks=(test, *message.blocks)), Format.TEXT)
