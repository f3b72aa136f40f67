"""Templates into HTML: everything that comes from outside is escaped, always."""

import functools
from typing import Any

import jinja2

from gemwatch.core.text import formatting
from gemwatch.web.pages import words
from gemwatch.web.pages.static_files import StaticFiles


@functools.cache
def static_files() -> StaticFiles:
    return StaticFiles()


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("gemwatch.web.pages"),
        autoescape=True,  # whatever a template is called
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        iso=words.iso,
        full=formatting.point,
        moment=words.moment,
        distance=words.distance,
        grouped=words.grouped,
        counted=formatting.counted,
    )
    environment.globals["asset"] = static_files().address
    return environment


def draw(template: str, **shown: Any) -> str:
    """The page. What every page shows has its usual value here."""
    usual: dict[str, Any] = {
        "banners": (),
        "failed": 0,
        "follows": False,
        "here": None,
        "log_out": False,
        "mood": "calm",
        "now": None,
        "version": None,
    }
    return _environment().get_template(template).render({**usual, **shown})


def login_form(then: str, problem: str | None) -> str:
    """The login page: it shows nothing of this installation."""
    return draw("login.html", next=then, error=problem)
