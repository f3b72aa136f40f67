"""`gemwatch doctor`: everything that commonly goes wrong, each with its remedy."""

import asyncio
import os
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemwatch.cli.common import FAILED, MISUSED, Config, Json, config_path, print_json
from gemwatch.cli.output import streams
from gemwatch.cli.output.tables import in_colour, on_terminal, record, terminal_size
from gemwatch.core.text.context import Context
from gemwatch.core.text.steps import steps_of

if TYPE_CHECKING:
    from gemwatch.adapters.config.file import LoadedFile
    from gemwatch.cli.doctor.finding import Finding
    from gemwatch.core.secrets import Secrets
    from gemwatch.core.settings import Settings

Offline = Annotated[bool, typer.Option("--offline", help="Use no network: no token, no API, no name server.")]


def doctor(context: typer.Context, config: Config = None, *, offline: Offline = False, as_json: Json = False) -> None:
    """Find common problems and show how to fix them.

    Nothing is sent or changed. Run it as the user and in the environment of the daemon. Exit codes: 0 no problem,
    1 a problem, 2 the configuration is refused.
    """
    from gemwatch.adapters.config.file import load
    from gemwatch.adapters.notify.urls import url_problem
    from gemwatch.cli.doctor.finding import FindingState
    from gemwatch.core.secrets import Secrets

    path, secrets = config_path(context, config), Secrets()
    loaded = load(path, os.environ, url_problem=url_problem)
    if loaded.settings is not None:
        secrets.learn(loaded.settings)
    found = []
    if not (as_json or on_terminal()):
        print(record(["State", "Check", "Found", "Remedy"]), flush=True)
    for one in _findings(path, loaded, secrets, online=not offline):
        found.append(_fit_to_show(one, secrets))
        if not as_json:
            _print_finding(found[-1])
    number = Counter(one.state for one in found)
    if as_json:
        print_json(
            {
                "checks": [asdict(one) for one in found],
                "problems": number[FindingState.PROBLEM],
                "warnings": number[FindingState.WARNING],
            }
        )
    elif on_terminal():
        print(f"\nProblems: {number[FindingState.PROBLEM]}, warnings: {number[FindingState.WARNING]}")
    if loaded.settings is None:
        raise typer.Exit(MISUSED)
    if number[FindingState.PROBLEM]:
        raise typer.Exit(FAILED)


def _findings(path: Path, loaded: "LoadedFile", secrets: "Secrets", *, online: bool) -> "Iterator[Finding]":
    """Each as soon as it is known: a token can take a minute. Of a refused configuration, what can be known."""
    from gemwatch.adapters.config.file import load_sections
    from gemwatch.adapters.store.info import writer_of
    from gemwatch.cli.doctor import configuration, machine, store, targets, web

    yield _instance(loaded)
    here = Context(config_path=str(path.absolute()))
    yield from configuration.findings(path, loaded, here)
    found = load_sections(path, os.environ, ("store.url",)).settings
    if found is not None:
        yield from store.findings(found.store.place, here)
    yield from machine.findings(os.environ)
    settings = loaded.settings
    if settings is None:
        return
    yield web.finding(settings.web, daemon=writer_of(settings.store.place) is not None)
    yield from targets.findings(settings.targets, online=online)
    yield from _login_and_api(settings, secrets, here, online=online)


def _instance(loaded: "LoadedFile") -> "Finding":
    import platform
    import socket

    from gemwatch import __version__
    from gemwatch.cli.doctor.finding import ok

    name = loaded.settings.name if loaded.settings is not None else None
    versions = f"gemwatch {__version__}, Python {platform.python_version()}, {platform.system()} {platform.release()}"
    return ok("instance", f"{name or socket.gethostname()}: {versions}")


def _login_and_api(
    settings: "Settings", secrets: "Secrets", context: Context, *, online: bool
) -> "Iterator[Finding]":
    from gemwatch.cli.doctor import online as api

    async def gathered() -> "list[Finding]":
        return [finding async for finding in api.findings(settings, secrets, context)]

    program = api.command(settings.api.token)
    if program is not None:
        yield program
    if online:
        yield from asyncio.run(gathered())


def _fit_to_show(finding: "Finding", secrets: "Secrets") -> "Finding":
    """Our own words hold no secret; those of a token command or a server might."""
    remedy = None if finding.remedy is None else secrets.mask(finding.remedy)
    return replace(finding, found=secrets.mask(finding.found), remedy=remedy)


def _print_finding(finding: "Finding") -> None:
    """In a pipe one record. On a terminal one line, wrapped, and the remedy below it.

    The word is next to the sign, for people who cannot see the sign and for terminals that cannot show it.
    """
    if not on_terminal():
        remedy = " ".join(step.text for step in steps_of(finding.remedy or ""))
        print(record([finding.state, finding.name, finding.found, remedy]), flush=True)
        return
    sign, colour = {"ok": ("✓", 32), "warning": ("!", 33), "problem": ("✗", 31)}[finding.state]
    mark = f"{sign if streams.encodable(sign) else ' '} {finding.state:<7}"
    indent, width = " " * (len(mark) + 2), max(40, terminal_size().columns)
    lines = _wrapped(f"{indent}{finding.name}: {finding.found}", indent, width)
    if in_colour():
        mark = f"\x1b[{colour}m{mark}\x1b[0m"
    print("\n".join([mark + lines[0][len(indent) - 2 :], *lines[1:]]))
    if finding.remedy is not None:
        for number, step in enumerate(steps_of(finding.remedy)):
            words = step.text if number else f"remedy: {step.text}"
            print("\n".join([f"{indent}  {words}"] if step.command else _wrapped(indent + words, indent, width)))


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    # Never within a word: paths and commands are there to be copied.
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
