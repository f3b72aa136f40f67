"""`gemwatch schema`: the configuration's keys, for editors and readers."""

import json
from typing import Annotated

import typer

Table = Annotated[bool, typer.Option("--table", help="Print a Markdown table of all keys instead.")]


def schema(*, table: Table = False) -> None:
    """Print the JSON Schema of the configuration.

    An editor completes and checks the file with it.
    """
    from gemwatch.adapters.config import json_schema

    typer.echo(json_schema.table() if table else json.dumps(json_schema.json_schema(), indent=2), nl=not table)
