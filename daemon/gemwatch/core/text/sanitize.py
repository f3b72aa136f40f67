"""Makes texts safe to show on one line: without invisible and control characters, and with a limited length.

Markup (mentions, links, emphasis) stays here: each renderer escapes it for its format, so that users can copy the
exact file name.
"""

import re
import unicodedata

# Unicode's Default_Ignorable_Code_Point: invisible, although some of them count as letters or marks.
_IGNORABLE = (
    *((0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
_SEPARATORS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")  # control characters and line ends
_BLANKS = frozenset("\u2800")  # the Braille pattern without dots, an invisible symbol


def single_line(text: str, most: int = 200) -> str:
    """The text on one line with single spaces, for our own words and for texts in which spaces do not matter."""
    return shorten(" ".join(visible(text, most * 8).split()), most)


def visible(text: str, most: int) -> str:
    """The text on one line without invisible characters. All other characters, including spaces, are unchanged."""
    if len(text) > most * 8:  # for a huge text, process only its ends
        text = f"{text[: most * 4]}…{text[len(text) - most * 4 :]}"
    if text.isascii() and text.isprintable():
        return shorten(text, most)
    return shorten("".join(map(_shown, _SEPARATORS.sub(" ", text))), most)


def shorten(text: str, most: int) -> str:
    """At most `most` characters, including the end, in which file names and errors often differ."""
    if len(text) <= most:
        return text
    tail = most // 3
    return text[: max(0, most - tail - 1)] + "…" + text[len(text) - tail :] if most > 0 else ""


def _shown(character: str) -> str:
    if character in _BLANKS or any(first <= ord(character) <= last for first, last in _IGNORABLE):
        return ""
    return character if character.isprintable() or unicodedata.category(character) == "Zs" else ""
