"""Which variables child processes get."""

from gemwatch.adapters.login.environment import child_environment
from gemwatch.core.secrets import Secrets

KEY, URL = "key-0123456789", "json://hooks.example.com/token-0123456789"


def test_secrets_and_systemd_and_libpq_are_withheld() -> None:
    secrets = Secrets()
    secrets.add(KEY, "short-1")
    secrets.add_url(URL)
    kept = {
        "PATH": "/usr/bin",
        "VAULT_TOKEN": "of-vault",
        "AZURE_CONFIG_DIR": "/var/lib/gemwatch/azure",
        "HTTPS_PROXY": "http://proxy.example.com:3128",
        "LC_ALL": "C.UTF-8",
    }
    withheld = {
        "TOMTOM_API_KEY": "referred",
        "COPY_OF_KEY": KEY,
        "HEADER": f"key={KEY}",
        "SHORT": "short-1",
        "SLACK": URL,
        "PGPASSWORD": "p",
        "PGHOST": "h",
        "NOTIFY_SOCKET": "/run/systemd/notify",
    }
    given = child_environment(kept | withheld, referred={"TOMTOM_API_KEY"}, secrets=secrets)
    assert given == kept


def test_basic_variables_are_kept_even_if_referred_to() -> None:
    environ = {"HOME": "/home/x", "PATH": "/bin", "OTHER": "y"}
    assert child_environment(environ, referred=set(environ), secrets=Secrets()) == {"HOME": "/home/x", "PATH": "/bin"}
