"""The command line: one command a file, each of which imports what it needs when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from gemwatch.cli import (
    check,
    db,
    deliveries,
    demo,
    estimate,
    healthcheck,
    history,
    run,
    schema,
    send_test,
    status,
    token,
    version,
    watch,
)
from gemwatch.cli.common import Chosen
from gemwatch.cli.doctor.command import doctor
from gemwatch.cli.wait.command import wait

app = typer.Typer(
    name="gemwatch",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def top(
    context: typer.Context,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="The configuration file.")] = None,
) -> None:
    """Watch TomTom GEM matching jobs and be told the moment one ends.

    The configuration is --config, else $GEMWATCH_CONFIG, else ./config.yaml, else /etc/gemwatch/config.yaml.
    Exit codes: 0 done, 1 something failed, 2 usage or configuration.
    """
    context.obj = Chosen(config)


app.command("run")(run.run)
app.command("check")(check.check)
app.command("status")(status.status)
app.command("history")(history.history)
app.command("estimate")(estimate.estimate)
app.add_typer(deliveries.app, name="deliveries")
app.command("watch")(watch.watch)
app.command("unwatch")(watch.unwatch)
app.command("wait")(wait)
app.command("test-notify")(send_test.send_test)
app.command("token")(token.token)
app.command("doctor")(doctor)
app.command("healthcheck")(healthcheck.healthcheck)
app.add_typer(db.app, name="db")
app.command("schema")(schema.schema)
app.command("demo")(demo.demo)
app.command("version")(version.version)


def main() -> None:
    """The entry point of the `gemwatch` script."""
    app()
