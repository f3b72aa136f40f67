"""Real outputs of the Azure CLI, and how gemwatch explains them."""

from getpass import getuser

import pytest

from gemwatch.adapters.login.az import CHECK_NETWORK, PASSING, UNKNOWN, TokenCommand, read_failure, retry_for
from gemwatch.core.settings import DEFAULT_TOKEN_COMMAND

SCOPE = "https://gem.core.orbis.tomtom.com/user_impersonation"
LOGIN = TokenCommand(command=DEFAULT_TOKEN_COMMAND, environ={})
IDS = "Trace ID: 0c1d-1 Correlation ID: 7a2b-2 Timestamp: 2026-11-20 08:00:00Z"
SIGN_IN_FREQUENCY = f"""\
ERROR: AADSTS70043: The refresh token has expired or is invalid due to sign-in frequency checks \
by conditional access. \
The token was issued on 2026-11-19T22:00:00.0Z and the maximum allowed lifetime for this request is 28800. {IDS}
Interactive authentication is needed. Please run:
az logout
az login --tenant "contoso.example" --scope "{SCOPE}"
"""
NO_SUBSCRIPTIONS = "ERROR: No subscriptions found for someone@example.com.\n"
NETWORK = """\
ERROR: The command failed with an unexpected error. Here is the traceback:
ERROR: HTTPSConnectionPool(host='login.microsoftonline.com', port=443): Max retries exceeded with url: /x
Traceback (most recent call last):
  File "urllib3/connection.py", line 198, in _new_conn
requests.exceptions.ConnectionError: Failed to resolve 'login.microsoftonline.com'
"""


def test_expired_login_keeps_az_words_and_command() -> None:
    failure = read_failure(SIGN_IN_FREQUENCY, LOGIN)
    assert failure.words.startswith("AADSTS70043: The refresh token has expired")
    assert failure.words.endswith("the maximum allowed lifetime for this request is 28800")
    assert failure.meaning == "The tenant demands a new sign-in after a set time"
    assert (
        f'  az login --tenant "contoso.example" --scope "{SCOPE}" --allow-no-subscriptions'
        in failure.remedy.splitlines()
    )
    assert failure.remedy.startswith(f"As user {getuser()}, run:\n")
    assert failure.retry_for == 0


@pytest.mark.parametrize("ids", [IDS, IDS.replace(" Correlation", "\nCorrelation").replace(" Time", "\r\nTime")])
def test_ids_for_support_are_left_out(ids: str) -> None:
    words = read_failure(f"ERROR: AADSTS50076: Use multi-factor authentication. {ids}\n", LOGIN).words
    assert words == "AADSTS50076: Use multi-factor authentication"


def test_remedy_is_the_whole_command() -> None:
    remedy = read_failure("ERROR: Please run 'az login' to setup account.", LOGIN).remedy
    assert remedy.splitlines()[1:] == [
        f"  az login --scope {SCOPE} --allow-no-subscriptions",
        "Without a browser, add --use-device-code.",
    ]
    of_tenant = TokenCommand(
        command=(*DEFAULT_TOKEN_COMMAND, "--tenant", "T"), environ={"AZURE_CONFIG_DIR": "/var/lib/a b"}
    )
    assert f"AZURE_CONFIG_DIR='/var/lib/a b' az login --scope {SCOPE} --tenant T " in of_tenant.remedy()
    assert "--tenant U" in TokenCommand(command=DEFAULT_TOKEN_COMMAND, environ={}, tenant="U").remedy()
    older = TokenCommand(command=("/usr/bin/az", "account", "get-access-token", "--resource=https://gem"), environ={})
    assert "--scope https://gem/.default" in older.remedy()
    assert "az login" not in TokenCommand(command=("vault", "read"), environ={}).remedy()


@pytest.mark.parametrize(
    "text",
    [
        NETWORK,
        "ERROR: HTTPSConnection: Failed to establish a new connection: [Errno -2] Name or service not known",
        "ERROR: Cannot connect to proxy.",
        "Error: Get https://vault.example.com:8200/v1/secret: dial tcp: connect: network is unreachable",
    ],
    ids=lambda text: str(text)[-30:],
)
def test_unreachable_login_service_needs_no_new_login(text: str) -> None:
    failure = read_failure(text, LOGIN)
    assert failure.meaning == "The login service could not be reached"
    assert failure.remedy == CHECK_NETWORK
    assert "az login" not in failure.remedy


def test_locked_cache_is_no_matter_of_the_network() -> None:
    assert read_failure("portalocker.exceptions.LockException: already locked", LOGIN).meaning is None


def test_application_login_needs_its_own_folder() -> None:
    said = f"ERROR: AADSTS1002012: The provided value for scope {SCOPE} is not valid. {IDS}"
    failure = read_failure(said, LOGIN)
    assert failure.meaning == "The Azure CLI is logged in as an application, not as a user"
    assert "AZURE_CONFIG_DIR=" in failure.remedy
    assert f"az login --scope {SCOPE}" in failure.remedy


@pytest.mark.parametrize(
    ("text", "part_of_meaning", "part_of_remedy"),
    [
        (NO_SUBSCRIPTIONS, "no Azure subscription", "--allow-no-subscriptions"),
        ("ERROR: AADSTS700024: Client assertion is not within its valid time range.", "federated token", "federated"),
        (
            "ERROR: AADSTS53003: Access has been blocked by Conditional Access policies.",
            "Conditional",
            "administrator",
        ),
        ("ERROR: AADSTS65001: The user or administrator has not consented.", "consented", "administrator"),
        ("ERROR: AADSTS700082: The refresh token has expired due to inactivity.", "90 days", "az login --scope"),
        ("ERROR: AADSTS7000222: The provided client secret keys are expired.", "secret has expired", "new secret"),
        ("ERROR: AADSTS500011: The resource principal was not found.", "wrong tenant", "az login"),
    ],
)
def test_known_failure_is_explained(text: str, part_of_meaning: str, part_of_remedy: str) -> None:
    failure = read_failure(text, LOGIN)
    assert part_of_meaning in (failure.meaning or "")
    assert part_of_remedy in failure.remedy
    assert failure.retry_for == 0


def test_long_words_are_cut_between_words() -> None:
    words = read_failure("ERROR: AADSTS1: " + "complicated " * 100, LOGIN).words
    assert words.endswith(" complicated…")
    assert len(words) <= 300


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (NETWORK, PASSING),
        ("ERROR: [Errno 11] Resource temporarily unavailable: '/home/x/.azure/msal_token_cache.lock'", PASSING),
        ("portalocker.exceptions.LockException: already locked", PASSING),
        ("ERROR: AADSTS90033: A transient error has occurred.", PASSING),
        ("error: 503 Server Error: Service Unavailable", PASSING),
        ("something else", UNKNOWN),
        ("", UNKNOWN),
        (SIGN_IN_FREQUENCY, 0),
        (NO_SUBSCRIPTIONS, 0),
        ("ERROR: Please run 'az login' to setup account.", 0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_failure_has_a_retry_time_by_its_words(text: str, seconds: float) -> None:
    assert retry_for(text) == seconds


def test_traceback_is_reduced_to_its_last_line() -> None:
    said = (
        "ERROR: The command failed with an unexpected error. Here is the traceback:\nTraceback:\n  x\nKeyError: 'a'\n"
    )
    assert read_failure(said, LOGIN).words == "KeyError: 'a'"
