"""`gemwatch init`: a first configuration, which refers to secrets and holds none."""

import grp
import os
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gemwatch.adapters.config.places import PLACES, VARIABLE
from gemwatch.cli.access import program
from gemwatch.cli.common import MISUSED, Config, config_option, fail, job_id

_SYSTEM = PLACES[-1].parent
_NAME = re.compile(r"(?![A-Za-z0-9]{20,}$)[A-Za-z_][A-Za-z0-9_]*")  # a long word without _ is a pasted secret
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_SCOPE = "https://gem.core.orbis.tomtom.com/user_impersonation"
_STORE = "/var/lib/gemwatch/gemwatch.db"
_CREDENTIALS = "/run/credentials/gemwatch.service/secret_"  # as in the unit, which hands out the files of secrets/

_PLACE = "the name of a variable, or a path with a / in it"
_INTRODUCTION = """\
This writes a first configuration. It refers to your secrets and contains none.
For each secret, name the environment variable or the file that holds it. A file
is a path with a / in it. Enter takes the suggestion in brackets.
"""
KeyEnv = Annotated[str | None, typer.Option("--key-env", metavar="NAME", help="Variable that holds the API key.")]
KeyFile = Annotated[str | None, typer.Option("--key-file", metavar="PATH", help="File that holds the API key.")]
TokenFile = Annotated[
    str | None,
    typer.Option("--token-file", metavar="PATH", help="File in which a program keeps a token; by default from az."),
]
AddTarget = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME=WHERE",
        help="A target, and the variable or the file (with a /) that holds its Apprise URL; may be repeated.",
    ),
]
AddWatch = Annotated[
    list[int] | None, typer.Option("--watch", parser=job_id, metavar="JOB_ID", help="A job; repeat it.")
]
Example = Annotated[bool, typer.Option("--example", help="Print the example with every key, and write nothing.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretPlace:
    """Where a secret is: in a variable, or in a file if there is a `/` in it."""

    text: str

    @property
    def is_file(self) -> bool:
        return "/" in self.text

    @property
    def reference(self) -> str:
        return f"${{file:{self.text.replace('$', '$$')}}}" if self.is_file else f"${{{self.text}}}"

    def command(self) -> str:
        """What a person types to put the secret there, without its showing anywhere."""
        if self.is_file:
            return f"(umask 077; cat > {shlex.quote(self.text)})  # paste it, Enter, Ctrl-D"
        return f"read -rs {self.text}; export {self.text}  # paste it, Enter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the file is made of. `token_file` None: the Azure CLI."""

    key: SecretPlace
    token_file: str | None
    targets: Sequence[tuple[str, SecretPlace]]
    jobs: Sequence[int]


def init(
    context: typer.Context,
    *,
    key_env: KeyEnv = None,
    key_file: KeyFile = None,
    token_file: TokenFile = None,
    targets: AddTarget = None,
    jobs: AddWatch = None,
    config: Config = None,
    example: Example = False,
) -> None:
    """Write a first configuration.

    On a terminal without options it asks. The file refers to variables and files that hold the secrets, and never
    holds one itself. It goes to --config, else $GEMWATCH_CONFIG, else ./config.yaml. A file that exists stays as it
    is. Exit codes: 0 written, 2 wrong usage or the file exists.
    """
    if example:
        sys.stdout.write(example_file().read_text(encoding="utf-8"))
        return
    named = config_option(context, config) or os.environ.get(VARIABLE)
    path = Path(named or PLACES[0])
    if os.path.lexists(path):
        _refuse_existing(path)
    system = path.absolute().parent == _SYSTEM
    if not any((key_env, key_file, token_file, targets, jobs)) and sys.stdin.isatty() and sys.stdout.isatty():
        answers = _asked(system=system)
    else:
        answers = _given(key_env, key_file, token_file, targets or [], jobs or [], system=system)
    mode = _write(path, document(answers, system=system), system=system)
    print(f"\nWrote {path}, {mode}.\n")
    for line in next_steps(answers, path, system=system):
        print(line)


def example_file() -> Path:
    """The example with every key: in the wheel inside this package, in a checkout at its top."""
    package = Path(__file__).parents[1]
    places = (package / "config.example.yaml", package.parents[1] / "config.example.yaml")
    return next(place for place in places if place.is_file())


def document(answers: Answers, *, system: bool) -> str:
    """The text of the file."""
    targets = "".join(f"  {name}:\n    url: {_quoted(place.reference)}\n" for name, place in answers.targets)
    watches = "".join(f"  - {number}\n" for number in dict.fromkeys(answers.jobs))
    login = "  # The token comes from the Azure CLI: log in as the user that runs gemwatch.\n"
    if answers.token_file:
        login = f"  token:\n    file: {_quoted(answers.token_file)}\n"
    store = f"sqlite:///{_STORE}" if system else "sqlite:///gemwatch.db"
    return f"""\
# The configuration of gemwatch. All keys: gemwatch init --example
# Keep secrets out of this file: ${{NAME}} is an environment variable, and
# ${{file:PATH}} the text of a file.

api:
  key: {_quoted(answers.key.reference)}
{login}
# Where messages go: for each target a name and a URL (https://appriseit.com).
notify:{chr(10) + targets if targets else " {}" + chr(10)}
# The jobs, by id. Or: gemwatch watch JOB_ID --name "Netherlands weekly"
watch:{chr(10) + watches if watches else " []" + chr(10)}
store:
  url: {store}

web:
  listen: 127.0.0.1:8042    # the page, on this machine only
"""


def next_steps(answers: Answers, path: Path, *, system: bool) -> list[str]:
    """Commands that work as printed, in the order in which they are needed."""
    gemwatch = program()
    option = "" if path in PLACES or system else f" --config {shlex.quote(str(path))}"
    lines = ["Next:"]
    if system:
        gemwatch = f"sudo -Hu gemwatch {gemwatch}"
    for place in (answers.key, *(place for _, place in answers.targets)):
        credential = place.text.removeprefix(_CREDENTIALS)
        if credential != place.text:  # systemd makes it of the file that root keeps
            place = SecretPlace(text=str(_SYSTEM / "secrets" / credential))  # noqa: PLW2901 (the same secret)
        lines.append(f"  {place.command()}")
    if answers.token_file is None:
        login = "sudo -Hu gemwatch az login --use-device-code" if system else "az login"
        lines.append(f"  {login} --scope {_SCOPE}")
    if system:
        return [*lines, "  systemctl enable --now gemwatch", f"  {gemwatch} check --online{option}"]
    lines.append(f"  {gemwatch} check --online{option}")
    if answers.targets:
        lines.append(f"  {gemwatch} test-notify{option}")
    return [*lines, f"  {gemwatch} run{option}"]


def _given(
    key_env: str | None,
    key_file: str | None,
    token_file: str | None,
    targets: Sequence[str],
    jobs: Sequence[int],
    *,
    system: bool,
) -> Answers:
    if key_env and key_file:
        fail("--key-env and --key-file exclude each other", MISUSED)
    if key_env is not None and not _NAME.fullmatch(key_env):
        _not_a_place("--key-env")
    path = f"./{key_file}" if key_file and "/" not in key_file else key_file
    key = key_env or path or _default("tomtom-api-key", "TOMTOM_API_KEY", system=system)
    found = []
    for target in targets:
        name, _, where = target.partition("=")
        if not _TARGET.fullmatch(name):
            fail("--target: write NAME=VARIABLE or NAME=PATH, with a name such as team-slack", MISUSED)
        where = where or _default(name, _variable(name), system=system)
        found.append((name, _place(where, "--target")))
    if len({name for name, _ in found}) < len(found):
        fail("--target: two targets have the same name", MISUSED)
    return Answers(key=_place(key, "--key-file"), token_file=token_file, targets=found, jobs=jobs)


def _asked(*, system: bool) -> Answers:
    print(_INTRODUCTION)
    default = _default("tomtom-api-key", "TOMTOM_API_KEY", system=system)
    key = _ask_place("Variable or file with the TomTom API key", default)
    hint = "Write az, or a path with a / in it, not the token itself."
    login = _ask("GEM token: az, or the path of a file", "az", lambda text: text == "az" or "/" in text, hint)
    found: list[tuple[str, SecretPlace]] = []
    while True:
        which = "Another target" if found else "Target for messages, such as team-slack"
        name = typer.prompt(f"{which} (Enter for none)", default="", show_default=False, err=True).strip()
        if not name:
            break
        if not _TARGET.fullmatch(name) or name in dict(found):
            print("A name has letters, digits, - and _, and each target has its own.")
            continue
        default = _default(name, _variable(name), system=system)
        found.append((name, _ask_place(f"Variable or file with the Apprise URL of {name}", default)))
    return Answers(key=key, token_file=None if login == "az" else login, targets=found, jobs=_ask_jobs())


def _ask(question: str, default: str, accepted: Callable[[str], bool], hint: str) -> str:
    while not accepted(text := str(typer.prompt(question, default=default, err=True)).strip()):
        print(hint)
    return text


def _ask_place(question: str, default: str) -> SecretPlace:
    return SecretPlace(text=_ask(question, default, _is_place, f"Write {_PLACE}, not the secret itself."))


def _ask_jobs() -> list[int]:
    while True:
        words = typer.prompt("Job ids (Enter for none)", default="", show_default=False, err=True)
        try:
            return [job_id(word) for word in str(words).replace(",", " ").split()]
        except typer.BadParameter as error:
            print(error.message)


def _place(text: str, option: str) -> SecretPlace:
    return SecretPlace(text=text) if _is_place(text) else _not_a_place(option)


def _is_place(text: str) -> bool:
    return "/" in text or _NAME.fullmatch(text) is not None


def _not_a_place(option: str) -> NoReturn:
    # The text is not repeated: it may be the secret itself, given by mistake.
    fail(f"{option}: write {_PLACE}, not the secret itself", MISUSED)


def _default(file: str, variable: str, *, system: bool) -> str:
    return f"{_CREDENTIALS}{file}" if system else variable


def _variable(name: str) -> str:
    return f"{name.upper().replace('-', '_')}_URL"


def _quoted(text: str) -> str:
    """As YAML, where some characters would mean something."""
    plain = re.fullmatch(r"\$\{[A-Za-z0-9_:./-]+\}|[A-Za-z0-9_./-]+", text)
    return text if plain else "'" + text.replace("'", "''") + "'"


def _write(path: Path, text: str, *, system: bool) -> str:
    """Write the file; who may read it, in words."""
    group = _service_group() if system and os.geteuid() == 0 else None
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        _refuse_existing(path)
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
    with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 (a descriptor)
        if group is not None:
            os.fchown(file.fileno(), 0, group)
            os.fchmod(file.fileno(), 0o640)
        file.write(text)
    if group is not None:
        return "which root may edit and the service may read (mode 0640)"
    more = ". There is no group gemwatch yet, so the service cannot read it" if system else ""
    return f"which only you may read (mode 0600){more}"


def _service_group() -> int | None:
    try:
        return grp.getgrnam("gemwatch").gr_gid
    except KeyError:
        return None


def _refuse_existing(path: Path) -> NoReturn:
    fail(f"{path} exists, and is left as it is. Name another file with --config, or move that one away", MISUSED)
