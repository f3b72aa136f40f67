"""`store.url`: files, and PostgreSQL databases with what their URLs may contain."""

import pytest

from gemwatch.adapters.config.bad_value import BadValueError
from gemwatch.adapters.config.section_values import store_place
from gemwatch.core.secrets import Secrets
from gemwatch.core.settings import ApiSettings, Postgresql, Settings, StoreSettings

POSTGRESQL = "postgresql+psycopg://"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("h/d", Postgresql(host="h", database="d")),
        ("u@h:6432/d%20e", Postgresql(host="h", port=6432, user="u", database="d e")),
        ("u%40v:p%2Fw%3A@h/d", Postgresql(host="h", user="u@v", password="p/w:", database="d")),
        ("[::1]:5/d", Postgresql(host="::1", port=5, database="d")),
        ("/d?host=/run/postgresql", Postgresql(database="d", options=(("host", "/run/postgresql"),))),
        (
            "h/d?sslmode=verify-full&sslrootcert=/a%20b",
            Postgresql(host="h", database="d", options=(("sslmode", "verify-full"), ("sslrootcert", "/a b"))),
        ),
    ],
)
def test_postgresql_url_is_read(url: str, place: Postgresql) -> None:
    assert store_place(POSTGRESQL + url) == place


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("h", "names no database"),
        ("h/", "names no database"),
        ("h/d/e", "names no database"),
        ("u:my#wxyz@h/d", "with %23, %25, %2F"),
        ("u:my/wxyz@h/d", "is not a URL"),
        ("h:port/d", "is not a URL"),
        ("[h/d", "is not a URL"),
        ("h/d?sslmode", "is not a URL"),
        ("h/d?options=-c", 'has an option "options"; known are sslmode'),
    ],
)
def test_wrong_postgresql_url_is_explained(url: str, what: str) -> None:
    with pytest.raises(BadValueError) as caught:
        store_place(POSTGRESQL + url)
    assert what in str(caught.value)
    assert "wxyz" not in str(caught.value)


def test_password_of_the_store_is_secret_and_not_shown() -> None:
    place = store_place(f"{POSTGRESQL}me:sesame%40open@[::1]:5432/d?sslmode=require")
    assert isinstance(place, Postgresql)
    assert str(place) == f"{POSTGRESQL}me@[::1]:5432/d"
    assert "sesame" not in repr(place)
    secrets = Secrets.of(Settings(name="n", api=ApiSettings(key="k"), store=StoreSettings(place=place)))
    assert "sesame" not in secrets.mask("login with sesame@open failed")
