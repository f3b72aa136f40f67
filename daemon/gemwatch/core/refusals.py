"""Finds the likely culprit of a refusal from the API's answer, and what to do about it.

The patterns cover TomTom's gateway (Mashery), Azure API Management and common frameworks. They match only whole words
and phrases: "generate" and "separate" contain "rate" but are no rate limit.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from html import unescape
from http import HTTPStatus
from typing import Any

from gemwatch.core.text.sanitize import single_line
from gemwatch.core.text.steps import ended

LONGEST_WORDS = 200  # characters to keep of the API's own words
PRODUCTS = '"Orbis GEM API" and "Orbis Private Data Gateway API"'  # TomTom's documentation of GEM requires both
_DASHBOARD = "TomTom's developer dashboard"


class Culprit(StrEnum):
    """The likely cause of a refusal. RATE is not a refusal: the API asks to wait."""

    RATE = "rate"
    TOKEN = "token"  # noqa: S105 (the word, not a token)
    KEY = "key"
    PRODUCT = "product"
    ACCOUNT = "account"
    JOB = "job"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, _: object) -> "Culprit":
        """For a word that a newer version has written."""
        return cls.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer without a job. Header names are in lower case. `body` is text, possibly truncated."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


def judge(answer: Answer) -> Culprit | None:
    """The decision table. None: the answer is neither a refusal nor a request to wait."""
    match answer.status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Culprit.RATE
        case HTTPStatus.SERVICE_UNAVAILABLE if answer.headers.get("retry-after"):
            return Culprit.RATE
        case HTTPStatus.FORBIDDEN if _names_a_rate(answer):
            return Culprit.RATE
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return _named_culprit(answer)
        case _:
            return None


def suspects(culprit: Culprit, status: int | None) -> tuple[Culprit, ...]:
    """Everything to check, the likeliest first: the culprit if the answer names it, else all candidates."""
    if culprit is not Culprit.UNKNOWN:
        return (culprit,)
    if status == HTTPStatus.FORBIDDEN:  # from TomTom's host: the key is valid but not enabled for this API
        return (Culprit.PRODUCT, Culprit.KEY, Culprit.ACCOUNT, Culprit.TOKEN)
    return (Culprit.TOKEN, Culprit.KEY)


def remedies(culprit: Culprit, status: int | None, *, login: str) -> tuple[str, ...]:
    """What to do about each suspect. `login`: how to log in again here, with the exact command."""
    return tuple(_remedy(suspect, login) for suspect in suspects(culprit, status))


def remedy(culprit: Culprit, status: int | None, *, login: str) -> str:
    """The same as one text, numbered if there are several suspects."""
    steps = remedies(culprit, status, login=login)
    if len(steps) == 1:
        return steps[0]
    return "\n".join(f"({number}) {step}" for number, step in enumerate(steps, start=1))


def api_words(answer: Answer, mask: Callable[[str], str] = lambda text: text) -> str:
    """The API's own words, safe to show: one line, no tags, no secrets, no URL queries; "" if there are none."""
    found = "; ".join(dict.fromkeys(filter(None, map(str.strip, _shown(answer.body))))) or _from_headers(answer)
    line = single_line(mask(found), LONGEST_WORDS * 8)
    for pattern, instead in _HIDDEN:
        line = pattern.sub(instead, line)
    return cut_at_word(line, LONGEST_WORDS)


def http_status(status: int) -> str:
    """`HTTP 503 Service Unavailable`, with the standard's phrase instead of the server's."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def cut_at_word(text: str, most: int) -> str:
    """At most `most` characters, cut between words if possible."""
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    return (kept.rpartition(" ")[0] or kept).rstrip(" ,;:") + "…"


def _remedy(culprit: Culprit, login: str) -> str:
    if culprit is Culprit.TOKEN:
        return f"Renew the login. {ended(login)}"
    return _REMEDIES[culprit]


_REMEDIES: Mapping[Culprit, str] = {
    Culprit.RATE: "Lower api.max_rate (TomTom's usual quota is 5 requests a second), and check whether other "
    f"programs use the same API key; {_DASHBOARD} shows its quota.",
    Culprit.KEY: f"Check api.key: in {_DASHBOARD} the key must exist, be active, and be copied whole.",
    Culprit.PRODUCT: f"Enable the products {PRODUCTS} for the API key in {_DASHBOARD}.",
    Culprit.ACCOUNT: "Ask the owner of the TomTom account to give the user that is logged in access to GEM "
    "(permission READ). To see who that is, run:\n  az account show",
    Culprit.JOB: "Check the job id, and that this account may see the job.",
    Culprit.UNKNOWN: "Check the login, the API key and its products.",
}


def _near(one: str, other: str) -> str:
    """Both within a few words of each other, in either order."""
    return rf"\b(?:{one})(?: \S+){{0,5}} (?:{other})\b|\b(?:{other})(?: \S+){{0,5}} (?:{one})\b"


_LIMITED = r"qps|rate|quota|queries|requests|calls|call volume|transactions|hits"
_BAD = (
    "invalid|not valid|missing|required|expired|unknown|inactive|revoked|disabled|deactivated|incorrect|wrong|bad"
    "|malformed|not found|not recogni[sz]ed|rejected|not accepted|unauthorized|unauthorised|blocked|suspended"
)
# All match lower-case text with single spaces between words.
_RATE_IN_HEADER = re.compile(
    r"\b(?:rates?|quotas?|qps|(?:queries|requests|calls) per (?:second|minute|hour|day))\b|\btoo many\b"
)
_RATE_IN_BODY = re.compile(
    rf"\bover (?:the |your |account )?(?:{_LIMITED})\b"
    r"|\brate ?limit(?:s|ed|ing|er)?\b"
    r"|\btoo many (?:\w+ )?(?:requests|queries|calls|transactions|hits)\b"
    rf"|\b(?:queries|requests|calls|transactions|hits) per (?:second|minute|hour|day|month)\b"
    r"|\b(?:quotas?|qps)(?: \S+){0,3} (?:exceeded|reached|exhausted|used up)\b"
    rf"|\bexceed(?:s|ed|ing)?(?: \S+){{0,4}} (?:{_LIMITED})\b"
    r"|\b(?:request|call|usage|hourly|daily|monthly|qps) limit(?: \S+){0,3} (?:exceeded|reached|hit)\b"
    r"|\bout of (?:\S+ ){0,2}quota\b|\bqps limit\b|\bthrottl(?:ed|ing)\b|\bslow down\b"
)
_KEY = re.compile(rf"{_near('key|keys|apikey', _BAD)}|\bdeveloper inactive\b|\binactive developer\b")
_TOKEN = re.compile(rf"{_near('tokens?|jwt|bearer', f'{_BAD}|lifetime|signature|audience|issuer')}|\bidx1\d{{4}}\b")
_PRODUCT = re.compile(
    r"\bproducts?\b|\bnot subscribed\b|\bentitle(?:d|ments?)\b|\berr 403 not authorized\b"
    r"|\bnot (?:enabled|authori[sz]ed|allowed|provisioned|activated|permitted)(?: \S+){0,4} (?:api|apis|services?)\b"
    r"|\b(?:api|service)(?: \S+){0,3} not (?:enabled|activated|provisioned)\b"
)
_WHO = "accounts?|users?|principal|member|tenant|application|client|identity|organi[sz]ation"
_BARRED = (
    "not allowed|not permitted|not authori[sz]ed|no access|no permissions?|denied|disabled|blocked|locked|suspended"
    "|closed|inactive|lacks?|insufficient|not a member"
)
_ACCOUNT = re.compile(rf"{_near(_WHO, _BARRED)}|\b(?:permissions?|privileges?|roles?|scopes?)\b")
_HIDDEN = (
    (re.compile(r"eyJ[\w-]{8,}\.[\w.-]+"), "***"),  # a JSON Web Token
    (re.compile(r"(?<=//)[^/\s@]+@"), "***@"),
    (re.compile(r"(?<=\?)[^\s\"'<>]*=[^\s\"'<>]*"), "***"),  # the query of a URL
)
_ERROR_HEADERS = ("x-error-detail-header", "x-mashery-error-code")
_DESCRIPTION = re.compile(r'error_description="([^"]+)"')
_TELLING_NAME = re.compile(r"\b(?:message|error|detail|details|description|reason|title|cause|fault ?string)\b")
_INVISIBLE = re.compile(r"<!--.*?-->|<(script|style|head)\b.*?</\1\s*>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z!][^<>]*>")


def _names_a_rate(answer: Answer) -> bool:
    named = (_plain(answer.headers.get(name, "")) for name in _ERROR_HEADERS)
    if any(map(_RATE_IN_HEADER.search, named)):
        return True
    return any(_RATE_IN_BODY.search(_plain(text)) for _, text in _texts(answer.body))


def _named_culprit(answer: Answer) -> Culprit:
    headers = (answer.headers.get(name, "") for name in (*_ERROR_HEADERS, "www-authenticate"))
    said = " ; ".join(map(_plain, (*(text for _, text in _texts(answer.body)), *headers)))
    if _PRODUCT.search(said):
        return Culprit.PRODUCT
    key, token = bool(_KEY.search(said)), bool(_TOKEN.search(said))
    if key != token:
        return Culprit.KEY if key else Culprit.TOKEN
    return Culprit.ACCOUNT if not key and _ACCOUNT.search(said) else Culprit.UNKNOWN


def _plain(text: str) -> str:
    """Lower case, with single spaces between the words of codes: `RateLimit`, `OVER_QPS`, `too-many`."""
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.sub(r"[\s_.,:;!?\"'()\[\]=/-]+", " ", split).lower().split())


def _shown(body: str) -> Iterator[str]:
    """The texts under names such as `message`, or all texts if there is none."""
    texts = list(_texts(body))
    clear = [text for name, text in texts if _TELLING_NAME.search(_plain(name))]
    yield from clear or (text for _, text in texts)


def _texts(body: str) -> Iterator[tuple[str, str]]:
    """Every text in a body with its field name, which is "" in HTML and plain text."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        yield "", _without_tags(body)
        return
    left: list[tuple[str, Any]] = [("", document)]
    while left:
        name, value = left.pop(0)
        match value:
            case str():
                yield name, _without_tags(value)
            case dict():
                left[:0] = [(str(key), inner) for key, inner in value.items()]
            case list():
                left[:0] = [(name, inner) for inner in value]


def _without_tags(text: str) -> str:
    return unescape(_TAG.sub(" ", _INVISIBLE.sub(" ", text)))


def _from_headers(answer: Answer) -> str:
    named = (answer.headers.get(name, "") for name in _ERROR_HEADERS)
    described = _DESCRIPTION.search(answer.headers.get("www-authenticate", ""))
    return next((value for value in named if value), described[1] if described else "")
