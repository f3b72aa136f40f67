"""What commands do to the jobs that rules find: read the lists, keep jobs away, let them back."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gemwatch.cli.common import fail, open_store, store_of, writing

if TYPE_CHECKING:
    from gemwatch.adapters.store.discovery.found import Discoveries
    from gemwatch.adapters.store.discovery.learning import Learning
    from gemwatch.core.clock import Clock
    from gemwatch.core.job import JobDetails
    from gemwatch.core.login import Token
    from gemwatch.core.settings import Rule, Settings


async def logged_in(settings: "Settings") -> "tuple[Clock, Token]":
    """The clock, and a token. Without one, the command ends."""
    from gemwatch.app.system_clock import SystemClock
    from gemwatch.cli.doctor.api_check import token_of
    from gemwatch.core.login import LoginError
    from gemwatch.core.secrets import Secrets

    clock = SystemClock()
    token = await token_of(settings, clock, Secrets.of(settings))
    return (clock, token) if not isinstance(token, LoginError) else fail(f"login: {token}")


async def listed(
    settings: "Settings", clock: "Clock", token: "Token", types: Sequence[str]
) -> "tuple[list[JobDetails], list[str]]":
    """The jobs of these types, each once, and why lists cannot be read or are incomplete."""
    from gemwatch.adapters.gem.client import GemApi
    from gemwatch.core.listing import Listing
    from gemwatch.engine.reading import reason_of, with_pages

    found: dict[int, JobDetails] = {}
    failures = []
    api = GemApi(settings.api, clock)
    try:
        for job_type in types:
            first = await api.list_jobs(job_type, token.value)
            if not isinstance(first, Listing):
                failures.append(f"the list of {job_type} jobs cannot be read: {reason_of(first)}")
                continue
            request = partial(api.list_jobs, job_type, token.value)
            listing, incomplete = await with_pages(first, request)
            if incomplete:
                failures.append(f"the list of {job_type} jobs is incomplete: {incomplete}")
            found = {**listing.jobs, **found}
    finally:
        await api.close()
    return [found[job_id] for job_id in sorted(found)], failures


async def matching(
    settings: "Settings", clock: "Clock", token: "Token"
) -> "tuple[list[tuple[Rule, JobDetails]], list[str]]":
    """The jobs that the rules match now, and why lists cannot be read or are incomplete."""
    from gemwatch.core.lists.rules import first_match, types_of

    jobs, failures = await listed(settings, clock, token, types_of(settings.discover))
    matches = ((first_match(settings.discover, job, clock.now()), job) for job in jobs)
    return [(rule, job) for rule, job in matches if rule is not None], failures


def rules_in(path: Path) -> "tuple[Rule, ...]":
    """The rules of the configuration that are valid, whatever else is wrong in it."""
    from gemwatch.adapters.config.file import load_sections

    settings = load_sections(path, os.environ, ("discover", "notify")).settings
    return () if settings is None else settings.discover


def has_store(path: Path) -> bool:
    from gemwatch.adapters.store.files import exists

    store = store_of(path)
    return exists(store) if isinstance(store, Path) else True


def ruled(path: Path) -> set[int]:
    """The jobs that rules watch, by the store; none if there is no store."""
    from gemwatch.adapters.store.reads.records import Records

    if not has_store(path):
        return set()
    engine = open_store(path)
    try:
        return Records(engine).ruled()
    finally:
        engine.dispose()


@contextmanager
def keeping_away(path: Path, job_ids: Sequence[int]) -> Iterator[None]:
    """Keep these jobs away from all rules, until they are let back, unless the block raises."""
    if not job_ids:
        yield
        return
    with _discoveries(path) as discoveries, discoveries.excluding(job_ids, datetime.now(UTC)):
        yield


def let_back(path: Path, job_ids: Sequence[int]) -> None:
    """Let rules find these jobs again."""
    with _discoveries(path) as discoveries:
        discoveries.readmit(job_ids)


def let_back_to_later_rules(path: Path, job_ids: Sequence[int]) -> None:
    """While there are no rules: for those that are added later. It is not worth an error, nor creating a store."""
    import sqlalchemy as sa

    from gemwatch.adapters.config.file import load_sections
    from gemwatch.adapters.store.database import open_to_write
    from gemwatch.adapters.store.discovery.found import Discoveries
    from gemwatch.adapters.store.files import StoreError, exists

    settings = load_sections(path, os.environ, ("store.url",)).settings
    if settings is None or (isinstance(settings.store.place, Path) and not exists(settings.store.place)):
        return
    with suppress(StoreError, sa.exc.DatabaseError):
        engine = open_to_write(settings.store.place, checkpoints=False)
        try:
            Discoveries(engine).readmit(job_ids)
        finally:
            engine.dispose()


@contextmanager
def learning_in(path: Path) -> "Iterator[Learning]":
    """The learned runs in the store, to write."""
    from gemwatch.adapters.store.discovery.learning import Learning

    with writing(path) as engine:
        yield Learning(engine)


@contextmanager
def _discoveries(path: Path) -> "Iterator[Discoveries]":
    from gemwatch.adapters.store.discovery.found import Discoveries

    with writing(path) as engine:
        yield Discoveries(engine)
