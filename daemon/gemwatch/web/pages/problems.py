"""The texts for requests that fail."""

from dataclasses import dataclass


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
