"""`gemwatch healthcheck` finds the address in a configuration that it reads without YAML's rules, as YAML does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gemwatch.cli.healthcheck import listen_address

VALUES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["it's", "a b", "x: y", "a#b", "a, listen: 192.0.2.1:5, b", "https://a.example.com/x,y", "{q}", "a\nb", "- x"]
    ),
)
WEB = st.dictionaries(st.sampled_from(["token", "badge", "hosts", "é"]), VALUES | st.lists(VALUES, max_size=3))
Web = dict[str, Any]
DUMPS: dict[str, Callable[[Web], str]] = {
    "block": lambda document: yaml.safe_dump(document, sort_keys=False),
    "flow": lambda document: yaml.safe_dump(document, sort_keys=False, default_flow_style=True, allow_unicode=True),
    "inner flow": lambda document: yaml.safe_dump(document, sort_keys=False, default_flow_style=None, width=200),
    "json": json.dumps,
    "inner json": lambda document: "".join(f"{name}: {json.dumps(value)}\n" for name, value in document.items()),
}


@pytest.mark.parametrize("style", DUMPS)
@settings(max_examples=60, deadline=None)
@given(before=WEB, after=WEB, name=VALUES)
def test_listen_address_is_found_in_every_style(
    tmp_path_factory: pytest.TempPathFactory, style: str, before: Web, after: Web, name: str
) -> None:
    web = {**before, "listen": "[::1]:8043", **{key: value for key, value in after.items() if key not in before}}
    config = tmp_path_factory.getbasetemp() / f"{style}.yaml"
    config.write_text(DUMPS[style]({"name": name, "api": {"listen": "192.0.2.1:5"}, "web": web}))
    assert listen_address(config) == ("::1", 8043)
