"""`gemwatch test-notify`: a sample message to each target, and whether it arrived."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli import completion
from gemwatch.cli.common import (
    FAILED,
    MISUSED,
    Config,
    Json,
    SomeTargets,
    config_path,
    fail,
    print_json,
    settings_of,
)
from gemwatch.core.kinds import EventKind
from gemwatch.core.work import Sent

if TYPE_CHECKING:
    from pathlib import Path

    from gemwatch.core.settings import Settings
    from gemwatch.core.text.context import Context
    from gemwatch.core.text.message import Message
    from gemwatch.core.work import Outcome

Sample = Annotated[
    EventKind,
    typer.Option(
        "--kind",
        help="Which message to send: a word of `on`, such as failed or login.",
        metavar="KIND",
        autocompletion=completion.kinds,
    ),
]


def send_test(
    context: typer.Context,
    targets: SomeTargets = None,
    *,
    kind: Sample = EventKind.SUCCESS,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send a sample message to targets.

    It shows for each target whether its server accepted the message.
    """
    path = config_path(context, config)
    settings = settings_of(path)
    known = [target.name for target in settings.targets]
    names = list(dict.fromkeys(targets or known))
    unknown = [name for name in names if name not in known]
    if unknown:
        fail(f"no target is called {', '.join(unknown)}; there are: {', '.join(known) or 'none'}", MISUSED)
    if not names:
        fail("the configuration names no target under notify", MISUSED)
    outcomes = dict(zip(names, asyncio.run(_send(settings, path, names, kind)), strict=True))
    reasons = {name: None if isinstance(one, Sent) else one.reason for name, one in outcomes.items()}
    if as_json:
        print_json([{"target": name, "sent": reason is None, "reason": reason} for name, reason in reasons.items()])
    for name, reason in () if as_json else reasons.items():
        typer.echo(f"{name}: arrived" if reason is None else f"{name}: not sent: {reason}", err=reason is not None)
    if any(reasons.values()):
        raise typer.Exit(FAILED)


async def _send(settings: "Settings", path: "Path", names: list[str], kind: EventKind) -> "list[Outcome]":
    from gemwatch.adapters.notify.targets import Targets
    from gemwatch.app.contexts import contexts
    from gemwatch.core.secrets import Secrets

    targets = Targets([target for target in settings.targets if target.name in names], Secrets())
    try:
        return await asyncio.gather(
            *(
                targets.send(name, targets.render(name, _sample(contexts(settings, path)[name], kind)))
                for name in names
            )
        )
    finally:
        targets.close()


def _sample(context: "Context", kind: EventKind) -> "Message":
    from gemwatch.core.samples import sample_event
    from gemwatch.core.text.compose import compose
    from gemwatch.core.text.message import Paragraph

    now = datetime.now(UTC)
    message = compose(0, sample_event(kind, now), now=now, context=context)
    test = Paragraph(line=("This is a test. Nothing has happened.",))
    return replace(message, title=("TEST: ", *message.title), blocks=(test, *message.blocks))
