"""Trouble as the pages tell it: what happened, what it means for the jobs, what to do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gemwatch.core.text import formatting
from gemwatch.core.text.sanitize import single_line
from gemwatch.web.pages import words

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Banner:
    """One trouble. `bad` is read out at once by screen readers, `warn` when there is a pause."""

    name: str
    tone: str
    what: str
    meaning: str
    remedy: str
    since: datetime | None = None
    url: str | None = None
    link: str = ""


def banners(service: Json, stalled: str | None) -> tuple[Banner, ...]:
    """The worst first. `stalled`: why the program makes no progress, if it does not."""
    return tuple(_troubles(service, stalled))


def store_banner(reason: str) -> Banner:
    return Banner(
        name="store",
        tone="bad",
        what=f"The store does not work: {single_line(reason, 300)}",
        meaning="No job is polled and no message is sent meanwhile; what ends is told once the store works again.",
        remedy="On the host, look at the disk (full? read-only?) and at who else has the database open.",
    )


def _troubles(service: Json, stalled: str | None) -> Iterator[Banner]:
    if service["store_trouble"]:
        yield store_banner(service["store_trouble"])
    elif stalled:
        yield Banner(
            name="stalled",
            tone="bad",
            what=f"gemwatch makes no progress: {single_line(stalled, 300)}",
            meaning="What this page shows may be out of date.",
            remedy="Look into its log; restarting it loses nothing.",
        )
    if service["login"] == "refused":
        yield Banner(
            name="login",
            tone="bad",
            what="The GEM API refuses the login",
            since=words.time(service["login_since"]),
            meaning="No job is polled until it works. No end is lost: what ended meanwhile is told then.",
            remedy="On the host, as the user that runs gemwatch, renew the login (az login, unless the "
            "configuration says otherwise); gemwatch token shows whether it works.",
        )
    if service["api"] == "down":
        yield Banner(
            name="api",
            tone="bad",
            what="The GEM API does not answer",
            since=words.time(service["api_since"]),
            meaning="No job's end can be seen now. gemwatch goes on trying, and tells what ended meanwhile.",
            remedy="If the trouble is not at TomTom, check network, proxy and DNS of the host; "
            "gemwatch check --online tries it at once.",
        )
    if failed := service["deliveries"]["failed"]:
        yield Banner(
            name="deliveries",
            tone="warn",
            what=f"{formatting.counted(failed, 'delivery has', 'deliveries have')} failed",
            meaning="Somebody was not told what they were to hear, and it is not tried again by itself.",
            remedy="Mend the target, then: gemwatch deliveries retry.",
            url="/deliveries?state=failed",
            link="Show them",
        )
