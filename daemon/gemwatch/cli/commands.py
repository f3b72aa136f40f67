"""The whole command line: every command, its group in the help, and its examples."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from gemwatch.cli import (
    check,
    db,
    deliveries,
    demo,
    estimate,
    healthcheck,
    history,
    init,
    run,
    schema,
    send_test,
    status,
    token,
    version,
    watch,
)
from gemwatch.cli.common import ChosenConfig, Config, config_option
from gemwatch.cli.discovery.discover import discover
from gemwatch.cli.discovery.learn import learn
from gemwatch.cli.doctor.command import doctor
from gemwatch.cli.help import Command, CommandGroup, examples, show_version
from gemwatch.cli.wait.command import wait

_SETUP, _JOBS, _MESSAGES, _DAEMON = "Set up", "Jobs", "Messages", "The daemon and its store"

app = typer.Typer(
    name="gemwatch",
    cls=CommandGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Version = Annotated[
    bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=show_version)
]


@app.callback()
def top(context: typer.Context, config: Config = None, *, version: Version = False) -> None:
    """Watch TomTom GEM matching jobs and get a message the moment one ends.

    The configuration is --config, else $GEMWATCH_CONFIG, else ./config.yaml, else /etc/gemwatch/config.yaml.

    \b
    Exit codes of all commands:
      0  done
      1  something failed
      2  wrong usage or configuration
     70  an internal error of gemwatch
    130  interrupted
    `gemwatch wait --help` lists further ones of that command.
    """  # noqa: D301 (click keeps the lines that follow a real backspace)
    del version  # its callback has ended the program
    context.obj = ChosenConfig(config)


def _add(panel: str, name: str, command: Callable[..., Any], *lines: str) -> None:
    epilog = examples(*lines) if lines else None
    app.command(name, cls=Command, rich_help_panel=panel, epilog=epilog)(command)


def _add_group(panel: str, name: str, group: typer.Typer, *lines: str) -> None:
    app.add_typer(group, name=name, cls=CommandGroup, rich_help_panel=panel, epilog=examples(*lines))


Url = Annotated[
    str | None,
    typer.Option("--url", metavar="URL", help="Where the daemon listens: http://HOST:PORT.", show_default=False),
]


def _healthcheck(context: typer.Context, url: Url = None, config: Config = None) -> None:
    """Check the health of the daemon on this machine.

    Exit codes: 0 polls and deliveries make progress, 1 they do not or no daemon answers, 2 wrong usage. Without --url
    the address is web.listen of the configuration.
    """
    options: dict[str, str | Path | None] = {"url": url, "config": config_option(context, config)}
    given = {name: str(value) for name, value in options.items() if value is not None}
    raise typer.Exit(healthcheck.examine(given))


_add(
    _SETUP,
    "init",
    init.init,
    "gemwatch init",
    "gemwatch init --target team-slack=SLACK_URL --watch 123456789",
    "gemwatch init --example > config.example.yaml",
)
_add(_SETUP, "check", check.check, "gemwatch check", "gemwatch check --online --config /etc/gemwatch/config.yaml")
_add(_SETUP, "doctor", doctor, "gemwatch doctor", "sudo -Hu gemwatch gemwatch doctor")
_add(_SETUP, "token", token.token, "gemwatch token")
_add(_SETUP, "schema", schema.schema, "gemwatch schema > gemwatch.schema.json")
_add(_SETUP, "demo", demo.demo, "gemwatch demo", "gemwatch demo --keep-running")

_add(
    _JOBS,
    "status",
    status.status,
    "gemwatch status",
    "gemwatch status 123456789 123456790",
    "gemwatch status --status FAILED --sort status_since --limit 20",
    'gemwatch status --name "Netherlands*"',
    "gemwatch status --follow",
    "gemwatch status --json | jq '.jobs[] | select(.finished | not) | .job_id'",
)
_add(
    _JOBS,
    "history",
    history.history,
    "gemwatch history 123456789",
    "gemwatch history --since 7d --limit 50",
)
_add(_JOBS, "estimate", estimate.estimate, "gemwatch estimate 123456789", "gemwatch estimate --backtest")
_add(_JOBS, "discover", discover, "gemwatch discover", "gemwatch discover --json | jq '.[].job_id'")
_add(_JOBS, "learn", learn, "gemwatch learn")
_add(
    _JOBS,
    "watch",
    watch.watch,
    'gemwatch watch 123456789 --name "Netherlands weekly"',
    "cut -f1 jobs.tsv | gemwatch watch -",
)
_add(_JOBS, "unwatch", watch.unwatch, "gemwatch unwatch 123456789 123456790", "gemwatch unwatch --finished")
_add(
    _JOBS,
    "wait",
    wait,
    "gemwatch wait 123456789 --timeout 8h && ./publish-result",
    "gemwatch wait --any 123456789 123456790 --json > result.json",
)

_add_group(
    _MESSAGES,
    "deliveries",
    deliveries.app,
    "gemwatch deliveries --state failed --since 7d",
    "gemwatch deliveries show gw-42",
    "gemwatch deliveries retry",
)
_add(
    _MESSAGES,
    "test-notify",
    send_test.send_test,
    "gemwatch test-notify",
    "gemwatch test-notify team-slack --kind failed",
)

_add(_DAEMON, "run", run.run, "gemwatch run --config /etc/gemwatch/config.yaml")
_add(_DAEMON, "healthcheck", _healthcheck, "gemwatch healthcheck", "gemwatch healthcheck --url http://127.0.0.1:8042")
_add_group(_DAEMON, "db", db.app, "gemwatch db info", "gemwatch db backup gemwatch-copy.db")
_add(_DAEMON, "version", version.version)
