"""Pages of the documentation site that are made of the program: commands, configuration, API, metrics."""

import re
from collections.abc import Iterator
from typing import Any

import typer.main

from gemwatch.adapters.config import json_schema
from gemwatch.app.metrics import Gauges, Metrics
from gemwatch.cli.commands import app
from gemwatch.web.api import openapi


def pages() -> dict[str, str]:
    """Markdown, by the name of the file."""
    texts = {"commands": _commands(), "configuration": _configuration(), "api": _api(), "metrics": _metrics()}
    return {f"{name}.md": "\n".join(lines) + "\n" for name, lines in texts.items()}


def _commands() -> Iterator[str]:
    program: Any = typer.main.get_command(app)
    context = program.make_context("gemwatch", [], resilient_parsing=True)
    yield "# Commands"
    yield from _command(program, context, "gemwatch", level=2)


def _command(command: Any, context: Any, path: str, *, level: int) -> Iterator[str]:
    yield f"\n{'#' * level} {path}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    for paragraph in re.split(r"\n\s*\n", f"{command.help or ''}\n\n{command.epilog or ''}".strip()):
        if paragraph.lstrip().startswith("\b"):
            yield "```text\n" + "\n".join(line for line in paragraph.splitlines() if line.strip("\b ")) + "\n```\n"
        else:
            yield f"{_plain(' '.join(paragraph.split()))}\n"
    records = [record for one in command.get_params(context) if (record := one.get_help_record(context))]
    if records:
        yield "| argument or option | meaning |\n| --- | --- |"
        yield from (f"| `{_cell(names)}` | {_plain(_cell(about))} |" for names, about in records)
    for name in command.list_commands(context) if hasattr(command, "list_commands") else ():
        below = command.get_command(context, name)
        if not below.hidden:
            inner = type(context)(below, info_name=name, parent=context)
            yield from _command(below, inner, f"{path} {name}", level=min(level + 1, 4))


def _configuration() -> Iterator[str]:
    yield "# Configuration keys\n"
    yield "Every key, from the program's schema. [Configuration](../docs/configuration.md) explains them.\n"
    yield json_schema.table()


def _api() -> Iterator[str]:
    document = openapi.document()
    yield "# JSON API\n"
    yield "From the OpenAPI document that a daemon serves at `/api/openapi.json`."
    yield "[HTTP endpoints](../docs/http.md) says who may read it."
    for path, methods in document["paths"].items():
        operation = methods["get"]
        yield f"\n## GET {path}\n\n{operation['summary']}.\n"
        if operation["parameters"]:
            yield "| parameter | meaning |\n| --- | --- |"
            yield from (
                f"| `{one['name']}` | {_plain(one.get('description', ''))} |" for one in operation["parameters"]
            )
        yield "\n| status | meaning |\n| --- | --- |"
        for status, answer in operation["responses"].items():
            shape = answer["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            yield f"| {status} | {_plain(answer['description'])}: [{shape}](#{shape.lower()}) |"
    for name, schema in document["components"]["schemas"].items():
        yield f"\n## {name}\n\n| field | type | meaning |\n| --- | --- | --- |"
        for field, part in schema["properties"].items():
            yield f"| `{field}` | {_type(part)} | {_plain(part.get('description', ''))} |"


def _type(part: dict[str, Any]) -> str:
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        return " or ".join(_type(one) for one in part["anyOf"])
    if part.get("type") == "array":
        return f"list of {_type(part['items'])}"
    if "enum" in part:
        return ", ".join(f"`{word}`" for word in part["enum"])
    return str(part.get("format") or part.get("type", "any"))


def _metrics() -> Iterator[str]:
    yield "# Metrics\n"
    yield "What `/metrics` serves. [Operations](../docs/operations.md#metrics) says which of them to alert on.\n"
    yield "| metric | type | meaning |\n| --- | --- | --- |"
    text = Metrics("VERSION").render(Gauges()).decode()
    types = dict(re.findall(r"^# TYPE (\w+) (\w+)", text, re.MULTILINE))
    for name, about in re.findall(r"^# HELP (\w+) (.*)", text, re.MULTILINE):
        yield f"| `{name}` | {types.get(name, '')} | {_plain(about)} |"


def _plain(text: str) -> str:
    """Text in which Markdown sees no markup but code."""
    return re.sub(r"([<*_\[\]])", r"\\\1", text) if "`" not in text else text


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
