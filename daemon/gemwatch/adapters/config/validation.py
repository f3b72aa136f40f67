"""Checks the shape of a configuration with pydantic and words the mistakes."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_origin

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails
from typing_extensions import get_type_hints, is_typeddict

from gemwatch.adapters.config import values
from gemwatch.adapters.config.bad_value import BadValueError, did_you_mean, quoted, shown
from gemwatch.adapters.config.document import Misfit
from gemwatch.adapters.config.keys import Keys, RuleKeys, WatchKeys
from gemwatch.adapters.config.strict_yaml import KeyPath

UrlProblem = Callable[[str], str | None]
"""Returns what is wrong with an Apprise URL, without the URL, or None."""

_DOCUMENT = TypeAdapter(Keys)
_WATCH = TypeAdapter(WatchKeys)
_RULE = TypeAdapter(RuleKeys)


def check(document: Mapping[str, Any], url_problem: UrlProblem | None) -> tuple[Keys | None, Iterator[Misfit]]:
    """The keys of the document, or None and all mistakes in them. Does not check the entries of the watch list."""
    try:
        return _DOCUMENT.validate_python({"api": None, **document}, context=url_problem), iter(())
    except ValidationError as error:
        return None, _misfits(error, Keys)


def check_watch(entry: object) -> tuple[WatchKeys | None, Iterator[Misfit]]:
    """One entry of a watch list: a job id, or a mapping."""
    try:
        if isinstance(entry, dict):
            return _WATCH.validate_python(entry), iter(())
        if entry is None or isinstance(entry, list):
            bare = "is not a watch; write a job id or {job: ID, name: NAME}"
            return None, iter([Misfit((), f"{shown(entry)} {bare}", bare)])
        return {"job": values.job_id(entry)}, iter(())
    except ValidationError as error:
        return None, _misfits(error, WatchKeys)
    except BadValueError as error:
        return None, iter([Misfit((), str(error), error.what)])


def check_rule(entry: object) -> tuple[RuleKeys | None, Iterator[Misfit]]:
    """One rule of `discover`."""
    try:
        return _RULE.validate_python(entry), iter(())
    except ValidationError as error:
        return None, _misfits(error, RuleKeys)


def watched_id(entry: object) -> int | None:
    """The job id of an entry, even if the rest of the entry is wrong."""
    try:
        return values.job_id(entry.get("job") if isinstance(entry, dict) else entry)
    except BadValueError:
        return None


def _misfits(error: ValidationError, root: type) -> Iterator[Misfit]:
    # Lazily: wording thousands of mistakes takes time, and only the first ones are shown.
    return (_misfit(detail, root) for detail in error.errors(include_url=False, include_input=False))


def _misfit(detail: ErrorDetails, root: type) -> Misfit:
    at = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            word, known = str(at[-1]), _known_keys(root, at[:-1])
            hint = did_you_mean(word, known) or f"; known are {', '.join(known)}"
            return Misfit(at, f"unknown key{quoted(word)}{hint}", f"unknown key{hint}", key=True)
        case "missing":
            return Misfit(at[:-1], f'the key "{at[-1]}" is missing')
        case "dict_type":
            return Misfit(at, "must be a mapping, KEY: VALUE")
        case "list_type":
            return Misfit(at, "must be a list")
        case _:
            error = detail["ctx"]["error"]
            is_key = at[-1:] == ("[key]",)
            return Misfit(at[:-1] if is_key else at, str(error), error.what, key=is_key)


@cache
def _known_keys(root: Any, at: KeyPath) -> tuple[str, ...]:
    """The keys that a mapping in the document accepts."""
    hint = root
    for step in at:
        if is_typeddict(hint):
            hint = get_type_hints(hint)[str(step)]
        else:
            hint = get_args(hint)[-1 if get_origin(hint) is dict else 0]
        hint = next((part for part in get_args(hint) if is_typeddict(part) and get_origin(hint) is not dict), hint)
    return tuple(hint.__annotations__)
