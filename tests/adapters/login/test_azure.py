"""Tokens from azure-identity, with local servers for the token endpoint and managed identity, and a local `az`."""

import json
import logging
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import trustme

from gemwatch.adapters.config.file import load
from gemwatch.adapters.config.values import azure_is_installed
from gemwatch.adapters.login.credentials import Credentials
from gemwatch.app.system_clock import SystemClock
from gemwatch.core.login import LoginError
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import DEFAULT_AZURE_SCOPE, AzureCredential, AzureSource, TokenSource
from support.daemon import Installation
from support.gem import ScriptedGem
from support.http import Handler, Server
from support.inbox import Inbox
from support.tokens import jwt

needs_azure = pytest.mark.skipif(
    not azure_is_installed(), reason="azure-identity is missing: pip install 'gemwatch[azure]'"
)
TENANT, CLIENT, SECRET = "11111111-2222-3333-4444-555555555555", "client-of-gemwatch", "s3cret-of-the-client"
PRINCIPAL = AzureSource(
    credential=AzureCredential.SERVICE_PRINCIPAL, tenant_id=TENANT, client_id=CLIENT, client_secret=SECRET
)
OUR_VARIABLES = (
    "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT", "IDENTITY_HEADER", "MSI_ENDPOINT", "MSI_SECRET", "REQUESTS_CA_BUNDLE",
)  # fmt: skip


class Entra(Server):
    """The token endpoint: gives a new token each time, unless the test makes it refuse or stay silent."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self.asked: list[dict[str, str]] = []
        self.refuses_with: str | None = None
        self.open = threading.Event()
        self.open.set()
        owner = self

        class Asked(Handler):
            def do_GET(self) -> None:  # the tenant's OpenID configuration
                base = f"{owner.url}/{self.path.split('/')[1]}"
                self._give(
                    200,
                    {
                        "issuer": f"{base}/v2.0",
                        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                        "token_endpoint": f"{base}/oauth2/v2.0/token",
                    },
                )

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                owner.asked.append({name: values[0] for name, values in form.items()})
                owner.open.wait()
                if owner.refuses_with is not None:
                    self._give(401, {"error": "invalid_client", "error_description": owner.refuses_with})
                else:
                    token = f"token-{len(owner.asked)}"
                    self._give(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": token})

            def _give(self, status: int, document: dict[str, object]) -> None:
                self.answer(status, json.dumps(document).encode(), {"Content-Type": "application/json"})

        super().__init__(Asked, tls=tls)
        self.url = f"https://localhost:{self.port}"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OUR_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[tuple[Entra, dict[str, str]]]:
    """The token endpoint, and the environment with which azure-identity uses it."""
    ca, bundle = trustme.CA(), tmp_path / "ca.pem"
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("localhost").configure_cert(tls)
    ca.cert_pem.write_to_path(str(bundle))
    with Entra(tls) as entra:
        yield entra, {"AZURE_AUTHORITY_HOST": entra.url, "REQUESTS_CA_BUNDLE": str(bundle)}
        entra.open.set()


@pytest.fixture
def entra(environment: tuple[Entra, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> Entra:
    entra, variables = environment
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return entra


@asynccontextmanager
async def credentials_of(
    source: AzureSource, secrets: Secrets | None = None, limit: timedelta = timedelta(seconds=60)
) -> AsyncIterator[Credentials]:
    credentials = Credentials(
        TokenSource(azure=source), SystemClock(), secrets or Secrets(), retry=False, azure_limit=limit
    )
    yield credentials
    await credentials.close()


async def error_of(source: AzureSource, secrets: Secrets | None = None, **more: timedelta) -> str:
    async with credentials_of(source, secrets, **more) as credentials:
        with pytest.raises(LoginError) as caught:
            await credentials.token()
    return str(caught.value)


# A service principal


@needs_azure
async def test_service_principal_gets_a_token_with_an_expiry(entra: Entra) -> None:
    secrets, before = Secrets(), SystemClock().now()
    async with credentials_of(PRINCIPAL, secrets) as credentials:
        token = await credentials.token()
        assert await credentials.token() is token
    assert token.value == "token-1"
    assert token.expires_at is not None
    assert timedelta(minutes=59) < token.expires_at - before < timedelta(minutes=61)
    [asked] = entra.asked
    assert (asked["client_id"], asked["client_secret"]) == (CLIENT, SECRET)
    assert DEFAULT_AZURE_SCOPE in asked["scope"].split()
    assert secrets.mask(f"token-1 {SECRET}") == "*** ***"


@needs_azure
async def test_refused_token_is_replaced(entra: Entra) -> None:
    async with credentials_of(PRINCIPAL) as credentials:
        first = await credentials.token()
        second = await credentials.renew(first)
    assert (first.value, second.value) == ("token-1", "token-2")


@needs_azure
async def test_missing_keys_come_from_the_environment(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", "another")
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SECRET)
    source = AzureSource(credential=AzureCredential.SERVICE_PRINCIPAL, client_id=CLIENT, scope="api://gem/.default")
    async with credentials_of(source) as credentials:
        assert (await credentials.token()).value == "token-1"
    [asked] = entra.asked
    assert (asked["client_id"], asked["client_secret"]) == (CLIENT, SECRET)
    assert "api://gem/.default" in asked["scope"].split()


@needs_azure
async def test_default_credential_uses_the_environment(entra: Entra, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("TENANT_ID", TENANT), ("CLIENT_ID", CLIENT), ("CLIENT_SECRET", SECRET)):
        monkeypatch.setenv(f"AZURE_{name}", value)
    async with credentials_of(AzureSource(credential=AzureCredential.DEFAULT)) as credentials:
        assert (await credentials.token()).value == "token-1"


@needs_azure
async def test_missing_login_data_is_named() -> None:
    assert await error_of(AzureSource(credential=AzureCredential.SERVICE_PRINCIPAL, client_id=CLIENT)) == (
        "api.token.azure needs tenant_id (or AZURE_TENANT_ID), client_secret (or AZURE_CLIENT_SECRET). "
        "Set them there or in the environment"
    )


@needs_azure
async def test_refusal_has_reason_and_remedy_without_secrets(entra: Entra) -> None:
    entra.refuses_with = f"AADSTS7000215: Invalid client secret {SECRET} provided.\r\nTrace ID: 1"
    said = await error_of(PRINCIPAL)
    assert said.startswith("Azure (service-principal) gave no token: ")
    assert "AADSTS7000215: Invalid client secret *** provided" in said
    assert "Trace ID" not in said
    assert said.endswith(". Check tenant_id, client_id and client_secret. The secret may have expired")


@needs_azure
async def test_silent_endpoint_is_abandoned_at_the_limit(entra: Entra) -> None:
    entra.open.clear()
    said = await error_of(PRINCIPAL, limit=timedelta(seconds=0.2))
    assert said == (
        "Azure gave no token within 0.2 s. Check tenant_id, client_id and client_secret. The secret may have expired"
    )


# Others


@needs_azure
async def test_managed_identity_uses_the_machines_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, list[str]]] = []

    class Asked(Handler):
        def do_GET(self) -> None:
            asked.append(parse_qs(urlsplit(self.path).query))
            answer = {"access_token": "token-1", "expires_on": "4102444800", "resource": "r", "token_type": "Bearer"}
            self.answer(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    with Server(Asked) as machine:
        monkeypatch.setenv("IDENTITY_ENDPOINT", machine.url)
        monkeypatch.setenv("IDENTITY_HEADER", "header")
        source = AzureSource(credential=AzureCredential.MANAGED_IDENTITY, client_id=CLIENT)
        async with credentials_of(source) as credentials:
            token = await credentials.token()
    assert token.value == "token-1"
    assert asked[0]["resource"] == [DEFAULT_AZURE_SCOPE.removesuffix("/.default")]
    assert asked[0]["client_id"] == [CLIENT]


@pytest.fixture
def az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`az(script)` puts an `az` on the PATH, before all others."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def does(script: str) -> None:
        (tmp_path / "az").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "az").chmod(0o755)

    return does


@needs_azure
async def test_cli_credential_runs_the_command(az: Callable[[str], None]) -> None:
    token = jwt(tid=TENANT)
    az(f"echo '{json.dumps({'accessToken': token, 'expires_on': 4102444800, 'expiresOn': '2099-12-31 00:00:00'})}'")
    async with credentials_of(AzureSource(credential=AzureCredential.CLI)) as credentials:
        assert (await credentials.token()).value == token


@pytest.fixture
def logged() -> Iterator[list[logging.LogRecord]]:
    """The log lines of libraries."""
    records: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)

    keep = Keep(logging.WARNING)
    logging.getLogger().addHandler(keep)
    yield records
    logging.getLogger().removeHandler(keep)


@needs_azure
async def test_missing_cli_login_is_reported_once(az: Callable[[str], None], logged: list[logging.LogRecord]) -> None:
    az("echo \"ERROR: Please run 'az login' to setup account.\" >&2; exit 1")
    said = await error_of(AzureSource(credential=AzureCredential.CLI))
    assert said.startswith("az ended with 1: \"Please run 'az login'")
    assert "run:\n  az login --scope https://gem.core.orbis.tomtom.com/.default" in said
    assert logged == []


# The configuration


def source_of(folder: Path, azure: str) -> TokenSource | list[str]:
    config = folder / "config.yaml"
    config.write_text(f"api:\n  key: k\n  token:\n    azure: {azure}\n")
    loaded = load(config, {"S": SECRET}, url_problem=lambda _: None)
    if loaded.settings is None:
        return [str(problem).removeprefix(f"{folder}/config.yaml:") for problem in loaded.problems]
    return loaded.settings.api.token


@needs_azure
@pytest.mark.parametrize("word", AzureCredential)
def test_credential_name_alone_is_enough(tmp_path: Path, word: AzureCredential) -> None:
    meant = TokenSource(azure=AzureSource(credential=word))
    assert source_of(tmp_path, word) == source_of(tmp_path, f"{{credential: {word}}}") == meant


@needs_azure
def test_mapping_sets_the_credential_keys(tmp_path: Path) -> None:
    login = f"credential: service-principal, tenant_id: {TENANT}, client_id: {CLIENT}, client_secret: '${{S}}'"
    source = source_of(tmp_path, f"{{{login}}}")
    assert source == TokenSource(azure=PRINCIPAL, withheld=frozenset({"S"}))
    assert SECRET not in repr(source)


KINDS = "cli, service-principal, managed-identity, default"
BROKEN = [
    ("clii", '4:12: api.token.azure.credential: "clii" is not known here; did you mean "cli"?'),
    ("{tenant_id: t}", '4:12: api.token.azure: the key "credential" is missing'),
    ("{credential: '${S}'}", f"4:25: api.token.azure.credential: this text is not known here; write one of {KINDS}"),
    ("{credential: cli, tenant: t}", '4:30: api.token.azure: unknown key "tenant"; did you mean "tenant_id"?'),
    ("{credential: cli, client_secret: x}", "4:30: api.token.azure: is not used by cli; remove it"),
    ("{credential: default, scope: 5}", "4:41: api.token.azure.scope: must be text; put it in quotes"),
    ("[cli]", "4:12: api.token.azure: must be a mapping, KEY: VALUE"),
]


@needs_azure
@pytest.mark.parametrize(("azure", "problem"), BROKEN, ids=[azure for azure, _ in BROKEN])
def test_mistake_has_its_place(tmp_path: Path, azure: str, problem: str) -> None:
    assert source_of(tmp_path, azure) == [problem]


# The program


@needs_azure
def test_commands_log_in_with_azure(tmp_path: Path, environment: tuple[Entra, dict[str, str]]) -> None:
    entra, variables = environment
    with ScriptedGem() as gem, Inbox() as inbox:
        there = Installation(tmp_path, gem, inbox)
        login = {"credential": "service-principal", "tenant_id": TENANT, "client_id": CLIENT, "client_secret": "${S}"}
        there.configure(api={**there.document["api"], "token": {"azure": login}})
        done = there.run("token", S=SECRET, **variables)
    assert done.stdout.startswith("Got a token, valid until"), done.stderr
    assert entra.asked[0]["client_secret"] == SECRET
    assert SECRET not in done.stdout + done.stderr


def test_check_says_how_to_install_the_extra(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("api: {key: k, token: {azure: managed-identity}}\n")
    without = "import sys; sys.modules['azure'] = None; from gemwatch.cli import main; main()"
    for command, last in (("check", "refused (1 mistake)"), ("run", "Try it with: gemwatch check")):
        done = subprocess.run(
            [sys.executable, "-c", without, command, "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2
        first, *_ = lines = done.stderr.splitlines()
        assert first == (
            f"{config}:1:30: api.token.azure: needs azure-identity, which is not installed; "
            "run: pip install 'gemwatch[azure]'"
        )
        assert lines[-1].endswith(last)
