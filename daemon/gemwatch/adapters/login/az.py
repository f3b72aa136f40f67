"""The Azure CLI: the meaning of its failures, and the command that logs in again."""

import getpass
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from gemwatch.core.refusals import cut_at_word
from gemwatch.core.text.steps import run

PASSING, UNKNOWN = 30.0, 5.0  # seconds to retry a failure before it is reported
CHECK_NETWORK = "No new login is needed. Check network, proxy and DNS of this machine"
_LONGEST_WORDS = 300
_NO_BROWSER = "Without a browser, add --use-device-code."
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_MARKED = re.compile(r"(?:error|fatal)\b:?\s*(.+)", re.IGNORECASE)
_BALLAST = re.compile(
    r"\s*\b(?:Trace|Correlation|Request) ID:\s*\S+|\s*\bTimestamp:\s*[\d-]+[T ]?[\d:.]*Z?", re.IGNORECASE
)
_OWN_COMMAND = re.compile(r"^\$?\s*(az login\b.*)$")
_INLINE_COMMAND = re.compile(r"\brun:?\s*[`'\"]?(az login --.*?)[`'.]?$", re.IGNORECASE)
_INTRODUCTION = re.compile(
    r"^(?:interactive authentication is needed|to re-authenticate|run the command below|please run)\b.*:$",
    re.IGNORECASE,
)
_CODE = re.compile(r"\bAADSTS(\d+)")
_UNREACHABLE = re.compile(
    r"timed? ?out|timeout|connection|max retries|getaddrinfo|name resolution|name or service not known"
    r"|failed to resolve|no such host|network|unreachable|proxy|ssl|handshake|reset by peer|remote end closed",
    re.IGNORECASE,
)
_PASSING = re.compile(
    r"lock(?:ed|ing|file)?\b|temporar|try again|service unavailable|bad gateway|internal server error"
    r"|too many requests|\b50[0234]\b|resource busy",
    re.IGNORECASE,
)
_TRANSIENT_CODES = frozenset({"90033", "90006", "90012", "50033", "50196", "90055"})


class _Remedy(Enum):
    LOGIN = "log in again"
    APPLICATION = "give the daemon a login of its own"
    PIPELINE = "log in again within the pipeline"
    SECRET = "renew the application's secret"  # noqa: S105 (words)
    ADMINISTRATOR = "ask the tenant's administrator"
    NETWORK = "restore the network"


# The meaning of Microsoft Entra's codes. docs/login.md has the same table with more detailed remedies.
_MEANINGS: Mapping[str, tuple[str, _Remedy]] = {
    "1002012": ("The Azure CLI is logged in as an application, not as a user", _Remedy.APPLICATION),
    "700082": ("The login was not used for 90 days", _Remedy.LOGIN),
    "700084": ("The login has reached its maximum age", _Remedy.LOGIN),
    "70043": ("The tenant demands a new sign-in after a set time", _Remedy.LOGIN),
    "70044": ("The tenant demands a new sign-in after a set time", _Remedy.LOGIN),
    "50173": ("The password was changed, or the sessions were revoked", _Remedy.LOGIN),
    "50133": ("The password was changed, or the sessions were revoked", _Remedy.LOGIN),
    "50074": ("The tenant demands multi-factor authentication", _Remedy.LOGIN),
    "50076": ("The tenant demands multi-factor authentication", _Remedy.LOGIN),
    "50078": ("The multi-factor authentication has expired", _Remedy.LOGIN),
    "50079": ("The user has to enrol for multi-factor authentication", _Remedy.LOGIN),
    "53000": ("A Conditional Access policy demands a compliant device", _Remedy.ADMINISTRATOR),
    "53001": ("A Conditional Access policy demands a device of the domain", _Remedy.ADMINISTRATOR),
    "53003": ("A Conditional Access policy blocks this login", _Remedy.ADMINISTRATOR),
    "530033": ("A Conditional Access policy blocks this login", _Remedy.ADMINISTRATOR),
    "530035": ("A Conditional Access policy blocks this login", _Remedy.ADMINISTRATOR),
    "65001": ("This tenant has not consented to the use of GEM by the Azure CLI", _Remedy.ADMINISTRATOR),
    "50105": ("The user is not assigned to GEM in this tenant", _Remedy.ADMINISTRATOR),
    "50057": ("The user is disabled", _Remedy.ADMINISTRATOR),
    "50053": ("The user is locked", _Remedy.ADMINISTRATOR),
    "500011": ("This tenant does not know GEM: it may be the wrong tenant", _Remedy.LOGIN),
    "50020": ("The user belongs to another tenant", _Remedy.LOGIN),
    "90002": ("There is no such tenant", _Remedy.LOGIN),
    "700024": ("The pipeline's federated token has expired; it lives for minutes", _Remedy.PIPELINE),
    "7000215": ("The application's secret is wrong", _Remedy.SECRET),
    "7000222": ("The application's secret has expired", _Remedy.SECRET),
    "700016": ("The tenant does not know this application", _Remedy.SECRET),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailure:
    """A failure of the token command: its own `words` on a short single line, the `remedy`, and how long to retry."""

    words: str
    meaning: str | None
    remedy: str
    retry_for: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenCommand:
    """The token command as it runs on this machine, as this user, and how to log in for it."""

    command: Sequence[str]
    environ: Mapping[str, str]
    tenant: str | None = None  # of the last token, if the command names none

    @property
    def is_az(self) -> bool:
        return os.path.basename(self.command[0]) in ("az", "az.cmd")  # noqa: PTH119 (a word, perhaps no path)

    def remedy(self, own_command: str | None = None) -> str:
        """`As user gemwatch, run:` and `az login ...`, with scope and tenant. `own_command`: what az suggested."""
        if not self.is_az and own_command is None:
            return f"{as_user()}, run the token command by hand, and fix what it reports"
        command = own_command or f"az login{self._options()}"
        if "--allow-no-subscriptions" not in command:
            command += " --allow-no-subscriptions"
        return run(f"{as_user()}, run:", f"{self._prefix()}{command}", _NO_BROWSER)

    def own_folder_remedy(self) -> str:
        """For a daemon that shares its login folder with an application's login: the last login wins."""
        folder = self.environ.get("AZURE_CONFIG_DIR") or '"$HOME/.azure-gemwatch"'
        shown = shlex.quote(folder) if folder.startswith("/") else folder
        return run(
            "Give gemwatch a login of its own: set AZURE_CONFIG_DIR to a folder that only gemwatch uses. "
            f"{as_user()}, run:",
            f"AZURE_CONFIG_DIR={shown} az login{self._options()} --allow-no-subscriptions",
            _NO_BROWSER,
        )

    def _prefix(self) -> str:
        folder = self.environ.get("AZURE_CONFIG_DIR")
        return f"AZURE_CONFIG_DIR={shlex.quote(folder)} " if folder else ""

    def _options(self) -> str:
        scope = _option(self.command, "--scope")
        resource = _option(self.command, "--resource")
        if scope is None and resource is not None:
            scope = f"{resource.rstrip('/')}/.default"
        tenant = _option(self.command, "--tenant", "-t") or self.tenant
        given = (("--scope", scope), ("--tenant", tenant))
        return "".join(f" {name} {shlex.quote(value)}" for name, value in given if value)


def as_user() -> str:
    """`As user gemwatch`: a login belongs to a user, and the reader may be another user."""
    try:
        return f"As user {getpass.getuser()}"
    except (KeyError, OSError):
        return f"As the user with the id {os.getuid()}"


def read_failure(text: str, login: TokenCommand) -> CommandFailure:
    """The failure in the text of standard error. The text may contain secrets: the caller masks and cleans it."""
    lines = [line for raw in _COLOUR.sub("", text).splitlines() if (line := _BALLAST.sub("", raw).strip())]
    own = [command for line in lines if (command := _own_command(line)) is not None]
    said = [line for line in lines if not _OWN_COMMAND.match(line) and not _INTRODUCTION.match(line)]
    words = _most_telling(said)
    code = next(iter(_CODE.findall(words) or _CODE.findall(text)), "")
    meaning, kind = _MEANINGS.get(code, (None, _Remedy.LOGIN))
    if meaning is None and "no subscriptions found" in words.lower():
        meaning = "The login works, but has no Azure subscription, which GEM does not need"
    if is_unreachable(text):
        meaning, kind = "The login service could not be reached", _Remedy.NETWORK
    return CommandFailure(
        words=cut_at_word(words.rstrip("."), _LONGEST_WORDS),
        meaning=meaning,
        remedy=_remedy(kind, login, own[-1] if own else None),
        retry_for=retry_for(text),
    )


def without_ballast(text: str) -> str:
    """The text without the ids that only Microsoft's support can use."""
    return _BALLAST.sub("", text)


def retry_for(text: str) -> float:
    """How long to retry a failure with these words, in seconds."""
    codes = _CODE.findall(text)
    lasting = "az login" in text or "no subscriptions found" in text.lower()
    if lasting or any(code not in _TRANSIENT_CODES for code in codes):
        return 0.0
    return PASSING if codes or _UNREACHABLE.search(text) or _PASSING.search(text) else UNKNOWN


def is_unreachable(text: str) -> bool:
    """Whether a failure with these words says that the login service could not be reached."""
    return retry_for(text) == PASSING and not _CODE.search(text) and _UNREACHABLE.search(text) is not None


def _most_telling(lines: Sequence[str]) -> str:
    """The last line that is marked as an error, unless a traceback follows; else the last line."""
    marked = [match[1] for match in map(_MARKED.match, lines) if match]
    if marked and not marked[-1].lower().endswith("traceback:"):
        return marked[-1]
    return lines[-1] if lines else ""


def _own_command(line: str) -> str | None:
    match = _OWN_COMMAND.match(line) or _INLINE_COMMAND.search(line)
    return match[1].strip() if match and "--" in match[1] else None


def _remedy(kind: _Remedy, login: TokenCommand, own_command: str | None) -> str:
    match kind:
        case _Remedy.LOGIN:
            return login.remedy(own_command)
        case _Remedy.APPLICATION:
            return login.own_folder_remedy()
        case _Remedy.PIPELINE:
            return "Request a new federated token, and run az login --service-principal --federated-token again"
        case _Remedy.SECRET:
            return "Check the application's id and tenant, create a new secret, and run az login --service-principal"
        case _Remedy.ADMINISTRATOR:
            return (
                f"Ask the administrator of the Microsoft Entra tenant to permit it. Then: {login.remedy(own_command)}"
            )
        case _Remedy.NETWORK:
            return CHECK_NETWORK


def _option(command: Sequence[str], *names: str) -> str | None:
    """The value of an option, given as `--name value` or `--name=value`."""
    for index, word in enumerate(command):
        name, equals, value = word.partition("=")
        if name in names:
            if equals:
                return value
            return command[index + 1] if index + 1 < len(command) else None
    return None
