"""`gemwatch schema`: the configuration's JSON Schema, for editors."""

import json

import typer


def schema() -> None:
    """Print the JSON Schema of the configuration.

    With it, editors complete and check the file.
    """
    from gemwatch.adapters.config.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
