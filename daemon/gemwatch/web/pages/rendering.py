"""Templates into HTML: everything that comes from outside is escaped, always. The texts for requests that fail."""

import functools
from dataclasses import dataclass
from typing import Any

import jinja2

from gemwatch.core.text import formatting
from gemwatch.web.http.place import Mount
from gemwatch.web.pages import words
from gemwatch.web.pages.static_files import StaticFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPage:
    heading: str
    words: str


_PROBLEMS = {
    401: ErrorPage(heading="Log in first", words="This page is for users who are logged in."),
    404: ErrorPage(heading="This page does not exist", words="Check the address, or start from the list of jobs."),
    405: ErrorPage(
        heading="This address does not take that request",
        words="Nothing was changed. The pages and the API only show things.",
    ),
    421: ErrorPage(
        heading="gemwatch does not answer to this name",
        words="Open gemwatch by the name that its operator gave you. If this name is right, add it to web.hosts "
        "in the configuration and restart gemwatch.",
    ),
    429: ErrorPage(
        heading="Too many wrong tokens", words="They came from your address. Wait a minute, then try again."
    ),
    500: ErrorPage(
        heading="Something went wrong in gemwatch",
        words="Jobs are still polled and messages are still sent. The log of gemwatch says what failed.",
    ),
    503: ErrorPage(heading="gemwatch cannot answer right now", words="Try again in a few seconds."),
}


def problem_of(status: int, detail: str) -> ErrorPage:
    """`detail` is shown if the status alone is not enough."""
    known = _PROBLEMS.get(status)
    if known is not None:
        return known
    heading = "This request is not allowed" if status == 403 else "This request cannot be answered"  # noqa: PLR2004
    return ErrorPage(heading=heading, words=f"{detail[:1].upper()}{detail[1:]}.")


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
