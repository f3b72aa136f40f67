"""Is there a token, does the API answer, does it accept key and token, and do the clocks agree?"""

import shutil
from collections.abc import AsyncIterator
from datetime import timedelta

from gemwatch.adapters.gem.server_clock import ServerTime, server_time
from gemwatch.adapters.login.command import command_name
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.app.system_clock import SystemClock
from gemwatch.cli.doctor.api_check import ApiCheck, ask_once
from gemwatch.cli.doctor.finding import Finding, FindingState, ok, problem, to_run, warning
from gemwatch.cli.token import until
from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, Refused, Throttled
from gemwatch.core.login import LoginError, Token
from gemwatch.core.refusals import Culprit, remedy
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import Settings, TokenSource
from gemwatch.core.text.context import Context
from gemwatch.core.text.steps import ended, run

_SKEW = timedelta(seconds=60)
_SOON = timedelta(minutes=2)
_NETWORK = (
    "Check api.base_url, the network, name server and proxy; if TomTom's service is down, there is nothing to do"
)
_CERTIFICATES = (
    "Behind a company's own CA, name its file in SSL_CERT_FILE (for the API) and REQUESTS_CA_BUNDLE (for "
    "notifications and az); a clock that is far off has the same effect"
)
_FORM = "Check that api.base_url is the address of the GEM API, and that no proxy or login page answers in its place"
_TIME = run("Let NTP set it; a container uses the clock of its host. With systemd, run:", "timedatectl set-ntp true")
_NO_TOKEN = warning("key and token", "not tried, since there is no token", "Fix the login first")


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


async def findings(settings: Settings, secrets: Secrets, context: Context) -> AsyncIterator[Finding]:
    clock = SystemClock()
    there = await server_time(settings.api, clock)
    yield _reachable(settings, there)
    if isinstance(there, ServerTime):
        yield _clock(there.ahead)
    program = command(settings.api.token)
    if program is not None and program.state is FindingState.PROBLEM:
        yield _NO_TOKEN
        return
    credentials = Credentials(settings.api.token, clock, secrets, retry=False)
    try:
        token = await credentials.token()
    except LoginError as error:
        check = to_run("Then check it:", "{gemwatch} token", context)
        yield problem("login", error.reason, f"{ended(error.remedy)}\n{check}")
        yield _NO_TOKEN
        return
    yield _login(settings.api.token, credentials, token, clock)
    yield _answer(await ask_once(settings, clock, token), login=credentials.remedy)


def _login(source: TokenSource, credentials: Credentials, token: Token, clock: Clock) -> Finding:
    words = f"got a token, {until(token, clock.now())}"
    if token.application and source.command is not None:
        found = f"{words}, but az is logged in as an application, not as a user: GEM may refuse it"
        return warning("login", found, credentials.remedy)
    if token.expires_at is not None and token.expires_at - clock.now() < _SOON:
        return warning("login", words, "The source gives tokens that have almost expired: let it renew them earlier")
    return ok("login", words)


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
    return warning("clock", found, _TIME)


def _answer(answer: ApiCheck, *, login: str) -> Finding:
    seen = answer.seen
    match seen:
        case _ if answer.good:
            return ok("key and token", answer.words)
        case Refused():
            what_to_do = remedy(seen.culprit, seen.status, login=login)
        case Throttled():
            return warning("key and token", answer.words, remedy(Culprit.RATE, seen.status, login=login))
        case Failed(bad=True):
            found = f"the API answers in a form that gemwatch does not understand: {answer.words}"
            return problem("key and token", found, _FORM)
        case _ if "certificate" in answer.words:
            return problem("TLS", answer.words, _CERTIFICATES)
        case _:
            what_to_do = _NETWORK
    return problem("key and token", answer.words, what_to_do)
