"""${VAR}, ${VAR:-default}, ${file:PATH} and $$ inside the strings of a configuration."""

import re
from collections.abc import Mapping
from pathlib import Path

from gemwatch.adapters.config.sources import Stamp, UnreadableError, read_text, stamp

_REFERENCE = re.compile(r"\$\$|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)
_FORMS = "write ${NAME}, ${NAME:-default} or ${file:PATH}, and $$ for a dollar"
_LONGEST_FILE = 1024 * 1024


class Substituted(str):
    """Text that a reference was replaced with. It may be a secret, so messages never show it."""

    __slots__ = ()


class BadReferenceError(Exception):
    """A reference that cannot be resolved. The message names the variable or the file, never a value."""


class References:
    """Resolves references from the environment and from files. Relative paths start at the configuration's folder.

    A file that is named twice is read once, so that one configuration sees one state of it.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.seen: dict[Path, Stamp | None] = {}
        self.variables: set[str] = set()  # that references name
        self._folder = folder
        self._environ = environ
        self._files: dict[Path, str | UnreadableError] = {}

    def expand(self, text: str) -> str:
        """The text with its references replaced, a `Substituted` if there were any. Raises `BadReferenceError`."""
        complaints: list[str] = []
        substituted = False

        def replace(match: re.Match[str]) -> str:
            nonlocal substituted
            if match.group() == "$$":
                return "$"
            substituted = True
            try:
                return self._value(match[1], closed=bool(match[2]))
            except BadReferenceError as bad:
                complaints.append(str(bad))
                return ""

        expanded = _REFERENCE.sub(replace, text)
        if complaints:
            raise BadReferenceError("; ".join(complaints))
        return Substituted(expanded) if substituted else expanded

    def _value(self, body: str, *, closed: bool) -> str:
        if "${" in body:
            raise BadReferenceError("a reference inside a reference is not supported")
        if not closed:
            raise BadReferenceError("${ without a closing }; " + _FORMS)
        if body.startswith("file:"):
            return self._file(body.removeprefix("file:").replace("$$", "$"))
        if not (parts := _VARIABLE.fullmatch(body)):
            raise BadReferenceError("${...} contains no variable name; " + _FORMS)
        name, default = parts[1], parts[2]
        self.variables.add(name)
        value = self._environ.get(name)
        if default is not None:
            return value or default.replace("$$", "$")
        if value is None:
            raise BadReferenceError(f"variable {name} is not set: set it, or read a file with ${{file:PATH}}")
        return value

    def _file(self, name: str) -> str:
        path = self._folder / name
        if path not in self._files:
            self.seen[path] = stamp(path)
            try:
                self._files[path] = read_text(path, _LONGEST_FILE)
            except UnreadableError as unreadable:
                self._files[path] = unreadable
        text = self._files[path]
        if isinstance(text, UnreadableError):
            raise BadReferenceError(f'file "{path}" {text}')
        return text.removesuffix("\n").removesuffix("\r")
