"""How `--help` reads: commands in groups, no types, and ids that begin with a dash refused like other bad ids."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

_SHORT = 60  # characters; each command's first sentence is shorter, so it fits into 80 columns


_NEGATIVE = re.compile(r"-\d")
_PREFIX = "Value error, "  # how a library begins its own sentence
_UsageError = cast("type[Exception]", typer.BadParameter.__bases__[0])


@contextmanager
def _plainly(command: Any, ctx: Any, args: Sequence[str]) -> Iterator[None]:
    """Refuse `-5` like any other bad id, and not as an option; errors without the words of libraries."""
    given = tuple(args)  # the parser consumes the list
    try:
        yield
    except typer.BadParameter as error:
        error.message = error.message.removeprefix(_PREFIX)
        raise
    except _UsageError as error:
        if _NEGATIVE.match(str(getattr(error, "option_name", ""))):
            words = [word for word in given if _NEGATIVE.match(word)]
            if words and any(one.param_type_name == "argument" for one in command.params):
                command.parse_args(ctx, ["--", *words])  # refuses them
        raise


class Command(TyperCommand):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plainly(self, ctx, args):
            return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_parameters(self, ctx, formatter)


class CommandGroup(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _plainly(self, ctx, args):
            return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _format_parameters(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        panels: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is None or command.hidden:
                continue
            panel = getattr(command, "rich_help_panel", None)
            rows = panels.setdefault(panel if isinstance(panel, str) else "Commands", [])
            rows.append((name, command.get_short_help_str(_SHORT)))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)


def _format_parameters(command: Any, ctx: Any, formatter: Any) -> None:
    arguments, options = [], []
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        if parameter.param_type_name == "argument":
            arguments.append((record[0].partition(" <")[0], record[1]))
        else:
            options.append(record)
    for title, rows in (("Arguments", arguments), ("Options", options)):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def examples(*lines: str) -> str:
    """For the end of a command's help: commands as they are typed. The backspace keeps click from joining lines."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def show_version(wanted: bool) -> None:  # noqa: FBT001 (typer calls it)
    if wanted:
        from gemwatch import __version__

        typer.echo(f"gemwatch {__version__}")
        raise typer.Exit
