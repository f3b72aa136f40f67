"""Which names the server answers to."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemwatch.core.settings import WebSettings
from gemwatch.web.http.addresses import Hosts, host_of

TOKEN = "a-token-for-the-web-9f31"
EVERYWHERE = WebSettings(host="0.0.0.0", token=TOKEN)


@pytest.mark.parametrize(
    ("web", "header", "known"),
    [
        (WebSettings(), "localhost", True),
        (WebSettings(), "LocalHost.:8042", True),
        (WebSettings(), "127.0.0.1:1", True),
        (WebSettings(), "127.9.9.9", True),
        (WebSettings(), "[::1]:8042", True),
        (WebSettings(), "[::1", False),
        (WebSettings(), "[evil]", False),
        (WebSettings(), "evil.example.com", False),
        (WebSettings(), "localhost.evil.example.com", False),
        (WebSettings(), "192.0.2.7", False),
        (WebSettings(), "localhost:80@evil", False),
        (WebSettings(), "", False),
        (WebSettings(), None, False),
        (WebSettings(hosts=("gemwatch.example.com",)), "GEMWATCH.example.com:443", True),
        (WebSettings(hosts=("gemwatch.example.com",)), "x.gemwatch.example.com", False),
        (WebSettings(host="192.0.2.7", token=TOKEN), "192.0.2.7:8042", True),
        (WebSettings(host="192.0.2.7", token=TOKEN), "192.0.2.8", False),
        (WebSettings(host="2001:db8::7", token=TOKEN), "[2001:DB8:0::7]:80", True),
        (WebSettings(host="gem.example.com", token=TOKEN), "gem.example.com", True),
        (EVERYWHERE, "192.0.2.8:8042", True),
        (EVERYWHERE, "[2001:db8::7]", True),
        (EVERYWHERE, f"{socket.gethostname()}:8042", True),
        (EVERYWHERE, "evil.example.com", False),
    ],
)
def test_hosts_include_our_own_names_only(web: WebSettings, header: str | None, known: bool) -> None:  # noqa: FBT001
    assert Hosts(web).include(header) is known


@given(st.text(max_size=60))
def test_hosts_take_any_header(header: str) -> None:
    host_of(header)
    assert isinstance(Hosts(EVERYWHERE).include(header), bool)
