"""`gemwatch run`: the daemon."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from gemwatch.cli.common import FAILED, MISUSED, Config, config_path, fail, report_problems

if TYPE_CHECKING:
    from gemwatch.adapters.store.database import Lock
    from gemwatch.core.settings import Place

_PATIENCE = 30.0  # seconds: a start waits this long for another program that writes to the store


def run(context: typer.Context, config: Config = None) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    SIGHUP reads the configuration again. Exit codes: 0 stopped by a signal, 1 something failed, 2 the configuration
    is refused.
    """
    _before_the_loop()
    import structlog

    from gemwatch.adapters.store.files import StoreError
    from gemwatch.app import logs, service
    from gemwatch.app.configuration import Configuration
    from gemwatch.core.secrets import Secrets
    from gemwatch.web.http.server import WebError

    configuration = Configuration(config_path(context, config), os.environ)
    settings = configuration.first.settings
    if settings is None:
        report_problems(configuration.first.problems)
        fail("the configuration is refused, nothing was started. Try it with: gemwatch check", MISUSED)
    secrets = Secrets.of(settings)
    logging = logs.configure(settings.log.level, settings.log.format, secrets)
    log = structlog.get_logger()
    for warning in configuration.first.warnings:
        log.warning("config_warning", reason=str(warning))
    try:
        with opened(settings.store.place) as lock:
            asyncio.run(service.run(configuration, settings, secrets, lock))
    except Exception as error:
        cause = _cause(error)
        if isinstance(cause, StoreError | WebError):
            fail(secrets.mask(str(cause)))
        log.exception("loop_failed", detail="The program ends, so that its supervisor starts it again.")
        raise typer.Exit(FAILED) from None
    finally:
        logging.close()


@contextmanager
def opened(place: "Place", mounts: Path | None = None) -> "Iterator[Lock | None]":
    """The store with current tables, and a file locked for this daemon. `mounts`: the list of mounts, if not the
    kernel's."""
    import structlog

    from gemwatch.adapters.store.database import WriterLock
    from gemwatch.adapters.store.databases.sqlite import wait_for_writers
    from gemwatch.adapters.store.files import MOUNTS, remote_filesystem
    from gemwatch.adapters.store.schema import upgrade
    from gemwatch.core.settings import Postgresql

    log = structlog.get_logger()
    if isinstance(place, Postgresql):
        upgrade(place)  # others may run on it
        yield None
        return
    with WriterLock(place) as lock:
        patience = f"Waiting for up to {_PATIENCE:g} s."
        wait_for_writers(
            place, _PATIENCE, lambda: log.warning("store_locked", reason="database is locked", detail=patience)
        )
        if (kind := remote_filesystem(place, mounts or MOUNTS)) is not None:
            log.warning("store_on_network_filesystem", reason=kind, detail="SQLite needs a local file system.")
        if (copy := upgrade(place)) is not None:
            log.info("store_migrated", backup=str(copy))
        yield lock


def _cause(error: Exception) -> Exception:
    """What a loop died of: each task group on the way up has wrapped it once more."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _before_the_loop() -> None:
    """Signals that come while the program is still starting: a stop ends it cleanly, a reload changes nothing."""

    def stop(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
