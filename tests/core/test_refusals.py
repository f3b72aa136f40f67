"""The table of refusals: a test for each row, with the wordings of real gateways."""

import json

import pytest

from gemwatch.core.refusals import Answer, Culprit, api_words, cut_at_word, judge, remedies, remedy, suspects

LOGIN = "As user gemwatch, run: az login --scope S"


def said(status: int, body: object = "", **headers: str) -> Answer:
    text = body if isinstance(body, str) else json.dumps(body)
    return Answer(
        status=status, headers={name.replace("_", "-"): value for name, value in headers.items()}, body=text
    )


RATE = [
    said(429),
    said(429, "<h1>Developer Over Qps</h1>"),
    said(503, "down for maintenance", retry_after="120"),
    said(403, x_error_detail_header="Account Over Queries Per Second Limit"),
    said(403, x_error_detail_header="Account Over Rate Limit"),
    said(403, x_mashery_error_code="ERR_403_DEVELOPER_OVER_QPS"),
    said(403, x_mashery_error_code="ERR_403_DEVELOPER_OVER_RATE"),
    said(403, x_mashery_error_code="quota-exceeded"),
    said(403, "<h1>Developer Over Qps</h1>"),
    said(403, "<html><head><title>x</title></head><body><h1>Developer&nbsp;Over <b>Rate</b></h1></body></html>"),
    said(403, "Rate limit exceeded"),
    said(403, "Rate limit is exceeded. Try again in 5 seconds."),
    said(403, {"error": {"code": "RATE_LIMIT_EXCEEDED"}}),
    said(403, {"code": "RateLimitExceeded"}),
    said(403, {"detailedError": {"message": "You have exceeded your rate-limit"}}),
    said(403, {"message": "API calls quota exceeded! maximum admitted 5 per Second."}),
    said(403, {"message": "Quota has been exceeded"}),
    said(403, {"detail": "Out of call volume quota. Quota will be replenished in 02:12:33."}),
    said(403, {"errors": [{"title": "Too Many Requests"}]}),
    said(403, {"error": "TooManyRequests"}),
    said(403, "You have exceeded the allowed number of requests"),
    said(403, "Queries per second limit reached"),
    said(403, "Request was throttled."),
    said(403, "QPS limit breached"),
    said(403, "Daily limit exceeded"),
]


@pytest.mark.parametrize(
    "answer", RATE, ids=lambda answer: f"{answer.status} {dict(answer.headers)} {answer.body}"[:60]
)
def test_request_to_wait_has_the_culprit_rate(answer: Answer) -> None:
    assert judge(answer) is Culprit.RATE


@pytest.mark.parametrize(
    "body",
    [
        "",
        "Forbidden",
        "Failed to generate a report",
        "These are separate accounts",
        "We operate, moderate and deliberate",
        "an accurate corporate limit",
        "overrated",
        {"message": "could not generate token limits"},
        {"rate_limit": 5, "message": "Forbidden"},  # the name of a field means nothing
        "<html><head><script>var rateLimit = 'rate limit exceeded'</script></head><body>Forbidden</body></html>",
    ],
    ids=str,
)
@pytest.mark.parametrize("status", [401, 403])
def test_words_that_contain_rate_are_no_rate_limit(status: int, body: object) -> None:
    assert judge(said(status, body)) not in (Culprit.RATE, None)


def test_rate_limit_words_count_only_in_a_403() -> None:
    assert judge(said(401, "rate limit exceeded")) is Culprit.UNKNOWN
    assert judge(said(500, "rate limit exceeded")) is None
    assert judge(said(503, "rate limit exceeded")) is None
    assert judge(said(404)) is judge(said(200)) is judge(said(302)) is None


NAMED = [
    (Culprit.KEY, {"detailedError": {"code": "Unauthorized", "message": "Invalid API key"}}),
    (Culprit.KEY, "<h1>Developer Inactive</h1>"),
    (Culprit.KEY, "The apiKey is missing"),
    (Culprit.KEY, "Access denied due to invalid subscription key. Make sure to provide a valid key."),
    (Culprit.KEY, "Your tomtom-api-key has expired"),
    (Culprit.TOKEN, {"error": "invalid_token"}),
    (Culprit.TOKEN, {"message": "Token expired"}),
    (Culprit.TOKEN, "JWT signature does not match"),
    (Culprit.TOKEN, {"statusCode": 401, "message": "Unauthorized. Access token is missing or invalid."}),
    (Culprit.TOKEN, "IDX10223: Lifetime validation failed"),
    (Culprit.PRODUCT, {"message": "not authorized for the product: Orbis GEM API"}),
    (Culprit.PRODUCT, "This key is not enabled for this API"),
    (Culprit.PRODUCT, {"error": "You are not subscribed"}),
    (Culprit.PRODUCT, "The service is not enabled"),
    (Culprit.ACCOUNT, {"message": "The user does not have permission READ"}),
    (Culprit.ACCOUNT, "Your account is suspended"),
    (Culprit.ACCOUNT, {"error": "insufficient_scope", "detail": "missing scope"}),
    (Culprit.UNKNOWN, {"detail": "invalid credentials"}),
    (Culprit.UNKNOWN, "Invalid API key or token expired"),
    (Culprit.UNKNOWN, "<html><body>Forbidden</body></html>"),
    (Culprit.UNKNOWN, ""),
]


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(("culprit", "body"), NAMED, ids=str)
def test_refusal_has_the_culprit_that_it_names(status: int, culprit: Culprit, body: object) -> None:
    assert judge(said(status, body)) is culprit


def test_headers_name_a_culprit_too() -> None:
    challenge = 'Bearer error="invalid_token", error_description="The token is old"'
    assert judge(said(401, www_authenticate=challenge)) is Culprit.TOKEN
    assert judge(said(401, www_authenticate='Bearer realm="gem"')) is Culprit.UNKNOWN
    assert judge(said(403, x_mashery_error_code="ERR_403_NOT_AUTHORIZED")) is Culprit.PRODUCT
    assert judge(said(403, x_mashery_error_code="ERR_403_DEVELOPER_INACTIVE")) is Culprit.KEY
    assert api_words(said(401, www_authenticate=challenge)) == "The token is old"
    assert api_words(said(403, x_error_detail_header="Account Over Rate Limit")) == "Account Over Rate Limit"


def test_all_suspects_are_named_without_a_culprit() -> None:
    assert suspects(Culprit.UNKNOWN, 401) == (Culprit.TOKEN, Culprit.KEY)
    assert suspects(Culprit.UNKNOWN, 403)[:2] == (Culprit.PRODUCT, Culprit.KEY)
    both = remedy(Culprit.UNKNOWN, 401, login=LOGIN)
    assert both.startswith("(1) ")
    assert LOGIN in both
    assert "api.key" in both


@pytest.mark.parametrize("culprit", Culprit)
@pytest.mark.parametrize("status", [401, 403, 429, None])
def test_every_culprit_has_a_remedy(culprit: Culprit, status: int | None) -> None:
    steps = remedies(culprit, status, login=LOGIN)
    assert steps
    assert all(step.endswith((".", "\n  az account show")) for step in steps)
    assert any(LOGIN in step for step in steps) == (Culprit.TOKEN in suspects(culprit, status))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"detailedError": {"code": "x", "message": "Invalid API key"}, "trace": "4bf9"}, "Invalid API key"),
        ({"code": 7, "note": "no"}, "no"),
        ({"error": "no", "message": "no"}, "no"),
        (
            "<html><head><title>403</title></head><body><h1>Developer Over Qps</h1></body></html>",
            "Developer Over Qps",
        ),
        ("a < b and\nc &amp; d\x1b[31m", "a < b and c & d [31m"),
        ("see https://user:pw@example.com/a?sig=abc&x=1 or more", "see https://***@example.com/a?*** or more"),
        ("the token eyJhbGciOiJub25l.eyJleHAiOjF9.c2ln is bad", "the token *** is bad"),
        ("", ""),
        ("[" * 100_000, "[" * 199 + "…"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_api_words_are_safe_to_show(body: object, words: str) -> None:
    assert api_words(said(403, body)) == words


def test_api_words_are_masked_and_short() -> None:
    answer = said(401, {"message": "secret-key is bad " + "and so on " * 100})
    words = api_words(answer, mask=lambda text: text.replace("secret-key", "***"))
    assert words.startswith("*** is bad and so on")
    assert words.endswith((" and…", " so…", " on…"))
    assert len(words) <= 200


@pytest.mark.parametrize(
    ("text", "cut"), [("short", "short"), ("one two three", "one two…"), ("onetwothree", "onetwoth…")]
)
def test_text_is_cut_between_words(text: str, cut: str) -> None:
    assert cut_at_word(text, 9) == cut
