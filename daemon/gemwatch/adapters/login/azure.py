"""Tokens from azure-identity (the extra `gemwatch[azure]`), for machines without the Azure CLI."""

import asyncio
import json
import logging
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import timedelta
from typing import Any

from gemwatch.adapters.login.az import CHECK_NETWORK, PASSING, is_unreachable, retry_for, without_ballast
from gemwatch.core.login import LoginError
from gemwatch.core.refusals import cut_at_word
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import AzureCredential, AzureSource
from gemwatch.core.text.sanitize import single_line

AZURE_LIMIT = timedelta(seconds=60)
REMEDIES: Mapping[AzureCredential, str] = {
    AzureCredential.SERVICE_PRINCIPAL: "Check tenant_id, client_id and client_secret. The secret may have expired",
    AzureCredential.MANAGED_IDENTITY: "Check that this machine has a managed identity. With several, set client_id",
    AzureCredential.DEFAULT: "Give it a login that DefaultAzureCredential tries, or name one in api.token.azure",
}
_FROM_ENVIRONMENT = {
    "tenant_id": "AZURE_TENANT_ID",
    "client_id": "AZURE_CLIENT_ID",
    "client_secret": "AZURE_CLIENT_SECRET",
}


def cli_command(source: AzureSource) -> Sequence[str]:
    """The command that azure-identity would run. gemwatch runs it itself to explain failures and withhold secrets."""
    tenant = ("--tenant", source.tenant_id) if source.tenant_id else ()
    return ("az", "account", "get-access-token", "--scope", source.scope, *tenant, "--output", "json")


async def azure_text(source: AzureSource, secrets: Secrets, limit: timedelta = AZURE_LIMIT) -> str:
    """A token and its expiry, as JSON in the form that `az` prints. Raises LoginError, also after `limit`.

    Runs in its own daemon thread: azure-identity blocks, cannot be cancelled, and tries a managed identity for over
    a minute. An abandoned thread ends on its own and does not delay the program's exit.
    """
    answer: Future[str] = Future()
    answer.set_running_or_notify_cancel()  # from here on it cannot be cancelled while the thread uses it
    threading.Thread(target=_fetch, args=(source, secrets, answer), name="azure", daemon=True).start()
    try:
        async with asyncio.timeout(limit.total_seconds()):
            return await asyncio.wrap_future(answer)
    except TimeoutError:
        took = f"{limit.total_seconds():g} s"
        reason = f"Azure gave no token within {took}"
        raise LoginError(reason, remedy=REMEDIES[source.credential], retry_for=PASSING) from None


def _fetch(source: AzureSource, secrets: Secrets, answer: "Future[str]") -> None:
    logging.getLogger("azure").setLevel(logging.CRITICAL)  # the error that it raises contains its warnings
    try:
        # A new one each time: it caches its token until 5 minutes before expiry, even one that the API refused.
        with _credential(source, secrets, os.environ) as credential:
            token = credential.get_token(source.scope)
        answer.set_result(json.dumps({"accessToken": token.token, "expires_on": token.expires_on}))
    except LoginError as error:
        answer.set_exception(error)
    except Exception as error:  # the thread must always return a result
        said = secrets.mask(str(error) or type(error).__name__)
        why = cut_at_word(single_line(without_ballast(said), 2000), 400).rstrip(".")
        reason = f'Azure ({source.credential}) gave no token: "{why}"'
        # A managed identity is on this machine: where nothing answers, there is none.
        network = source.credential is AzureCredential.SERVICE_PRINCIPAL and is_unreachable(said)
        remedy = CHECK_NETWORK if network else REMEDIES[source.credential]
        answer.set_exception(LoginError(reason, remedy=remedy, retry_for=retry_for(said)))


def _credential(source: AzureSource, secrets: Secrets, environ: Mapping[str, str]) -> Any:
    from azure import identity  # noqa: PLC0415 (an extra, and slow to import)

    # An explicitly named authority needs no confirmation from the public one, which may be unreachable.
    authority: dict[str, Any] = {"disable_instance_discovery": True} if "AZURE_AUTHORITY_HOST" in environ else {}
    limit = int(AZURE_LIMIT.total_seconds())
    match source.credential:
        case AzureCredential.CLI:
            raise AssertionError("run as a command")
        case AzureCredential.SERVICE_PRINCIPAL:
            given = _given_or_from(environ, source)
            secrets.add(given["client_secret"])
            return identity.ClientSecretCredential(**given, **authority)
        case AzureCredential.MANAGED_IDENTITY:
            return identity.ManagedIdentityCredential(client_id=source.client_id or environ.get("AZURE_CLIENT_ID"))
        case AzureCredential.DEFAULT:
            secrets.add(environ.get("AZURE_CLIENT_SECRET"))
            return identity.DefaultAzureCredential(process_timeout=limit, **authority)


def _given_or_from(environ: Mapping[str, str], source: AzureSource) -> dict[str, str]:
    """The login data of a service principal. Raises LoginError, which names what is missing."""
    values = {key: getattr(source, key) or environ.get(name, "") for key, name in _FROM_ENVIRONMENT.items()}
    missing = [f"{key} (or {_FROM_ENVIRONMENT[key]})" for key, value in values.items() if not value]
    if missing:
        raise LoginError(f"api.token.azure needs {', '.join(missing)}", remedy="Set them there or in the environment")
    return values
