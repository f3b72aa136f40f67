"""Templates into HTML: everything that comes from outside is escaped, always."""

import functools
from typing import Any

import jinja2

from gemwatch.core.text import formatting
from gemwatch.web.http.place import Mount
from gemwatch.web.pages import words
from gemwatch.web.pages.problems import problem_of
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
        moment=formatting.moment,
        distance=formatting.distance,
        grouped=words.grouped,
        nobreak=words.nobreak,
        counted=formatting.counted,
    )
    return environment


class Renderer:
    """Draws pages whose links begin with the path of `web.public_url`."""

    def __init__(self, place: Mount) -> None:
        self.base = place.base

    def draw(self, template: str, **shown: Any) -> str:
        """The page. What every page shows has its usual value here."""
        usual: dict[str, Any] = {
            "asset": lambda name: self.base + static_files().address(name),
            "banners": (),
            "base": self.base,
            "failed": 0,
            "follows": False,
            "here": None,
            "log_out": False,
            "mood": "calm",
            "nav": True,
            "now": None,
            "replicas": (),
            "version": None,
        }
        return _environment().get_template(template).render({**usual, **shown})

    def login(self, then: str, problem: str | None) -> str:
        """The login page. It shows nothing about this installation."""
        return self.draw("login.html", next=then, error=problem, nav=False)

    def problem(self, status: int, detail: str) -> str:
        """An error as a page. It shows nothing about this installation either, because it needs no login."""
        problem = problem_of(status, detail)
        return self.draw(
            "problem.html", heading=problem.heading, words=problem.words, command=None, status=status, nav=False
        )
