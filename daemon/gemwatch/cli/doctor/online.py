"""Is there a token, does the API answer, does it take key and token, and do the clocks agree?"""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta

from gemwatch.adapters.gem.server_clock import ServerTime, server_time
from gemwatch.adapters.login.azure import REMEDIES
from gemwatch.adapters.login.command import command_name, remedy
from gemwatch.app.system_clock import SystemClock
from gemwatch.cli.api_check import Answer, ask_once, token_of
from gemwatch.cli.doctor.finding import Finding, State, ok, problem, warning
from gemwatch.cli.token import until
from gemwatch.core.job import Refused, Throttled
from gemwatch.core.login import LoginError
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import Settings, TokenSource

_SKEW = timedelta(seconds=60)
_SOON = timedelta(minutes=2)
_NETWORK = "Check api.base_url, the network, name server and proxy; should TomTom be down, nothing is to be done"
_CERTIFICATES = (
    "Behind a company's own CA, name its file in SSL_CERT_FILE (for the API) and REQUESTS_CA_BUNDLE (for "
    "notifications and az); a clock that is far off has the same effect"
)
_NO_TOKEN = warning("key and token", "not tried, since there is no token", "Mend the login first")


def command(source: TokenSource) -> Finding | None:
    """Whether the program that prints tokens is there; it is not run. None where no program prints them."""
    if source.command is None:
        return None
    name = command_name(source.command)
    found = shutil.which(source.command[0])
    if found is not None:
        return ok("token command", f"{name} is {found}")
    what_to_do = "Install it, or give api.token.command its full path"
    if name == "az":
        what_to_do = "Install the Azure CLI for the user that runs gemwatch, or name another source under api.token"
    return problem("token command", f"there is no program {name} on the PATH", what_to_do)


async def findings(settings: Settings, secrets: Secrets) -> AsyncIterator[Finding]:
    clock = SystemClock()
    there = await server_time(settings.api, clock)
    yield _reachable(settings, there)
    if isinstance(there, ServerTime):
        yield _clock(there.ahead)
    program = command(settings.api.token)
    if program is not None and program.state is State.PROBLEM:
        yield _NO_TOKEN
        return
    token = await token_of(settings, clock, secrets)
    if isinstance(token, LoginError):
        yield _no_login(settings.api.token, token)
        yield _NO_TOKEN
        return
    left = None if token.expires_at is None else token.expires_at - clock.now()
    words = f"a token was had, {until(token, clock.now())}"
    if left is not None and left < _SOON:
        yield warning("login", words, "The source gives tokens that are nearly over: let it renew them earlier")
    else:
        yield ok("login", words)
    yield _answer(await ask_once(settings, clock, token))


def _reachable(settings: Settings, there: ServerTime | str) -> Finding:
    if isinstance(there, str):
        return problem("API", there, _NETWORK)
    return ok("API", f"{settings.api.base_url} answers")


def _clock(ahead: timedelta | None) -> Finding:
    if ahead is None:
        return ok("clock", "not compared: the API's answer has no date")
    seconds = round(ahead.total_seconds())
    if abs(ahead) <= _SKEW:
        return ok("clock", "agrees with the API's")
    found = f"it is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} the API's: tokens are judged by it"
    return warning("clock", found, "Have NTP keep it (timedatectl set-ntp true); a container has its host's clock")


def _no_login(source: TokenSource, error: LoginError) -> Finding:
    what_to_do = "Write a valid token to it"
    if source.command is not None:
        what_to_do = remedy(source.command)
    elif source.azure is not None:
        what_to_do = REMEDIES[source.azure.credential]
    found = str(error).removesuffix(what_to_do).rstrip(" .")
    return problem("login", found, f"{what_to_do.rstrip('.')}. Then: gemwatch token")


def _answer(answer: Answer) -> Finding:
    match answer.seen:
        case _ if answer.good:
            return ok("key and token", answer.words)
        case Refused():
            remedy = "Check api.key, and that the login is of an account that may use GEM"
        case Throttled():
            return warning("key and token", answer.words, "Wait; lower api.max_rate if it stays so")
        case _ if "certificate" in answer.words:
            return problem("TLS", answer.words, _CERTIFICATES)
        case _:
            remedy = _NETWORK
    return problem("key and token", answer.words, remedy)
