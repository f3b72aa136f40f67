"""Where the store is, whatever else the configuration holds."""

from collections.abc import Mapping
from pathlib import Path

from gemwatch.adapters.config import schema
from gemwatch.adapters.config.document import Reader
from gemwatch.core.settings import Problem


def store_url(path: Path, environ: Mapping[str, str]) -> str | tuple[Problem, ...]:
    """The store's URL, or what keeps it from being known.

    For commands that only look into the store: they are run by people who need not have the secrets at hand
    that the rest of the configuration refers to.
    """
    reader = Reader(path.parent, environ)
    main = reader.document(path, ("watch",))
    if main is None or not isinstance(main.value, dict):
        return tuple(reader.problems)
    keys, misfits = schema.check({"api": {"key": "unused"}, "store": main.value.get("store")}, lambda _: None)
    if keys is None or ("store", "url") in main.unresolved:
        of_the_store = [problem for problem in reader.problems if problem.where.startswith("store")]
        return (*of_the_store, *(main.problem(misfit.at, misfit.what, key=misfit.key) for misfit in misfits))
    return schema.settings(keys, path.parent.absolute(), ()).store.url
