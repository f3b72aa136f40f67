"""Tries what the daemon needs: a token, and one answer of the API. For `check --online` and `doctor`."""

from dataclasses import dataclass

from gemwatch.adapters.gem.client import GemApi
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.core.clock import Clock
from gemwatch.core.job import Failed, NotFound, Observation, Refused, Seen, Throttled
from gemwatch.core.login import LoginError, Token
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCheck:
    """The result of one request. `good`: key and token were accepted. `seen` is the observation itself."""

    good: bool
    words: str
    seen: Observation


async def token_of(settings: Settings, clock: Clock, secrets: Secrets) -> Token | LoginError:
    """A token, fetched as the daemon would, or why there is none."""
    try:
        return await Credentials(settings.api.token, clock, secrets, retry=False).token()
    except LoginError as error:
        return error


async def ask_once(settings: Settings, clock: Clock, token: Token) -> ApiCheck:
    """Request the first watched job, or job 1 if the watch list is empty: any answer about a job is enough."""
    api = GemApi(settings.api, clock)
    job_id = settings.watches[0].job_id if settings.watches else 1
    try:
        seen = await api.ask(job_id, token.value)
    finally:
        await api.close()
    match seen:
        case Seen():
            return ApiCheck(good=True, seen=seen, words=f"job {job_id} is {seen.job.status}")
        case NotFound():
            missing = f", but there is no job {job_id}: check the id" if settings.watches else ""
            return ApiCheck(good=True, seen=seen, words=f"key and token are good{missing}")
        case Refused() | Throttled() | Failed():
            return ApiCheck(good=False, seen=seen, words=seen.reason)
