"""Texts from outside, made so that no chat, mail or terminal does anything with them but show them."""

# ruff: noqa: RUF001 (look-alikes are the point)

import re

# What is ordinary stays byte for byte, so that a file name can be copied. What could act is disarmed where one
# can see it, with look-alikes and with the brackets that security people use: `https[:]//evil[.]example`.
# Invisible joiners would look nicer, but clients differ in what they do with them, and whoever copies a name
# that holds one searches for it in vain.
_LOOK_ALIKES = str.maketrans(
    {
        "<": "‹",  # Slack's and Discord's mentions and links, HTML
        ">": "›",
        "*": "∗",  # bold
        "~": "∼",  # struck out
        "`": "ʹ",  # code
        "|": "¦",  # spoilers, and the label of a Slack link
    }
)

# Chat and mail programs make links of bare domains too (`evil.example`), and which endings are domains grows
# every year. So every dotted name is broken, except for the endings that files of this trade have and no domain.
_FILE_ENDINGS = frozenset(
    {"parquet", "geoparquet", "results", "result", "json", "jsonl", "geojson", "csv", "tsv", "txt", "log"}
    | {"yaml", "yml", "xml", "gz", "tar", "zst", "avro", "orc"}
)
_DOT = "[.\u3002\uff0e\uff61]"  # the last three are dots to an internationalised domain name
_DOTTED_NAME = re.compile(rf"(?:[\w-]+{_DOT})+([^\W\d_]{{2,}}|xn--[\w-]+)(?![^\W_])")
_ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])")

_REWRITES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"[@\uff20]"), "[@]"),  # mentions and mail addresses
    (re.compile(r"[:\uff1a](?=//)"), "[:]"),
    (re.compile(r"\\{2,}"), r"\\"),  # \\server\share is a link to some mail programs
    (re.compile(r"[#\uff03](?=[^\W\d])"), "♯"),  # hash tags and channels; "#7" is none
    (re.compile(r":(?=[\w+-]*[^\W\d][\w+-]*:|[+-]1:)"), "∶"),  # :emoji:
    (re.compile(r"&(?=#?\w+;)"), "＆"),  # entities, should somebody unescape once too often
    (re.compile(r"\](?=\()"), "] "),  # [label](link); last, since the brackets above could make one
)
_EMPHASIS = re.compile(r"(?<![^\W_])_+|_+(?![^\W_])|__+")  # not the single ones within a name, as in test_data


def single_line(text: str, most: int = 200) -> str:
    """The text on one line: nothing invisible, no control characters, single spaces, at most `most` characters.

    For our own words, which may name hosts and commands that people copy.
    """
    if len(text) > most * 8:  # a name of a megabyte costs no more than its ends
        text = f"{text[: most * 4]}…{text[len(text) - most * 4 :]}"
    seen = "".join(c if c.isprintable() else " " if _separates(c) else "" for c in text)
    return shorten(" ".join(seen.split()), most)


def sanitize(text: str, most: int = 200, *, keep_dots: bool = False) -> str:
    """The same for the words of others: in it nothing mentions, links or formats, in any service.

    `keep_dots` leaves bare dotted names as they are, for texts whose writer is trusted not to name a domain.
    """
    inert = single_line(text, most).translate(_LOOK_ALIKES)
    if not keep_dots:
        inert = _ADDRESS.sub(_broken, _DOTTED_NAME.sub(_broken_unless_a_file, inert))
    for pattern, instead in _REWRITES:
        inert = pattern.sub(instead, inert)
    return _EMPHASIS.sub(lambda run: "ˍ" * len(run[0]), shorten(inert, most))


def shorten(text: str, most: int) -> str:
    """At most `most` characters, the end kept: what tells file names and errors apart is often there."""
    if len(text) <= most:
        return text
    tail = most // 3
    return text[: max(0, most - tail - 1)] + "…" + text[len(text) - tail :] if most > 0 else ""


def _separates(character: str) -> bool:
    # Control characters stand between words; the rest (joiners, bidi marks, tags, surrogates) within them.
    return character.isspace() or character < "\u00a0"


def _broken(name: re.Match[str]) -> str:
    return re.sub(_DOT, "[.]", name[0])


def _broken_unless_a_file(name: re.Match[str]) -> str:
    return name[0] if name[1].lower() in _FILE_ENDINGS else _broken(name)
